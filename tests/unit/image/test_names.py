"""Names of images: the grammar, the words with a meaning, and what they lead to."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.config.model import Config, ImagesConfig
from lapstrake.errors import UsageError
from lapstrake.image.names import plus_spelling, read_name, read_words
from lapstrake.names import Arch

CONFIG = Config(
    arch=Arch.AMD64,
    images=ImagesConfig(always=("base-files",)),
    image_sets={"tools": ("jq", "curl"), "empty": ()},
)
# distribution-spec 1.1, "Pulling manifests"
GRAMMAR = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\Z")


def packages(name: str) -> tuple[str, ...]:
    (request,) = read_name(CONFIG, name)
    return request.packages


def test_order_and_twins_do_not_matter() -> None:
    one, other = read_name(CONFIG, "git/jq/git")[0], read_name(CONFIG, "jq/git")[0]
    assert replace(one, asked=()) == replace(other, asked=())
    assert one.packages == ("base-files", "git", "jq")
    assert one.asked == ("git", "jq")


@pytest.mark.parametrize(
    ("name", "expected", "arch"),
    [
        ("shell/hello", {"bash", "coreutils", "moreutils", "nano", "hello"}, Arch.AMD64),
        ("arm64/shell", {"bash", "coreutils", "moreutils", "nano"}, Arch.ARM64),
        ("shell/arm64", {"bash", "coreutils", "moreutils", "nano"}, Arch.ARM64),
        ("git/shell", {"git", "shell"}, Arch.AMD64),  # further back it is a package
        ("git/arm64", {"git", "arm64"}, Arch.AMD64),
        ("amd64/hello", {"hello"}, Arch.AMD64),
        ("riscv64", set(), Arch.RISCV64),
        ("tools/empty/hello", {"jq", "curl", "hello"}, Arch.AMD64),
    ],
)
def test_words_at_the_front_have_a_meaning(name: str, expected: set[str], arch: Arch) -> None:
    (request,) = read_name(CONFIG, name)
    assert set(request.packages) == {"base-files", *expected} | (
        {"dash"} if "bash" in expected else set()
    )
    assert request.arch is arch


def test_base_and_nix() -> None:
    (request,) = read_name(CONFIG, "base/hello")
    assert request.base
    (request,) = read_name(CONFIG, "nix/shell/arm64/jq", "v1.2")
    assert (request.source, request.tag, request.arch) == ("nix", "v1.2", Arch.ARM64)
    assert "base-files" not in request.packages
    assert "bashInteractive" in request.packages


def test_platforms_of_the_configuration() -> None:
    config = replace(CONFIG, images=ImagesConfig(platforms=(Arch.AMD64, Arch.ARM64)))
    assert [request.arch for request in read_name(config, "hello")] == [Arch.AMD64, Arch.ARM64]
    assert [request.arch for request in read_name(config, "arm64/hello")] == [Arch.ARM64]
    both = read_name(CONFIG, "arm64/amd64/hello")
    assert [request.arch for request in both] == [Arch.ARM64, Arch.AMD64]


def test_latest_is_the_branch_of_the_configuration() -> None:
    assert read_name(CONFIG, "hello", "latest")[0].tag == CONFIG.registry.branch
    assert read_name(CONFIG, "hello", "testing")[0].tag == "testing"


@pytest.mark.parametrize(
    "name",
    ["Hello", "a//b", "/a", "a/", "..", "a/../b", "a_-b", "a___b", "-a", "a-", "a|b", "g++", "",
     "a b", "é", "a\n"],
)  # fmt: skip
def test_names_that_no_registry_takes(name: str) -> None:
    with pytest.raises(UsageError, match="the image's name"):
        read_name(CONFIG, name)


@pytest.mark.parametrize("tag", ["", "-x", ".x", "a/b", "x" * 129, "a b", "all"])
def test_tags_that_no_branch_has(tag: str) -> None:
    with pytest.raises(UsageError):
        read_name(CONFIG, "hello", tag)


def test_too_long() -> None:
    assert packages("/".join(["a"] * 128)) == ("a", "base-files")
    with pytest.raises(UsageError, match="255"):
        read_name(CONFIG, "/".join(f"p{n}" for n in range(500)))


@given(st.from_regex(r"[a-zA-Z0-9._/+-]{1,40}", fullmatch=True))
def test_exactly_the_specification_s_grammar(name: str) -> None:
    try:
        read_name(CONFIG, name)
        taken = True
    except UsageError:
        taken = False
    assert taken == bool(GRAMMAR.match(name))


def test_pluses() -> None:
    assert plus_spelling("libstdc-plus-plus6") == "libstdc++6"
    assert "g++=4:12" in read_words(CONFIG, ["g++=4:12"])[0].packages


def test_a_registrys_name_is_read_as_its_words() -> None:
    assert read_words(CONFIG, ["shell/git", "jq"]) == read_words(CONFIG, ["shell", "git", "jq"])


@pytest.mark.parametrize("word", ["", "git/", "git//jq"])
def test_an_empty_word_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        read_words(CONFIG, [word])
