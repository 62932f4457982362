"""Which files a checksum covers, in which order, and what it is: byte for byte as Nerves'."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import string
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.artifact.base import Package, PackageType
from lapstrake.artifact.inputs.checksum import covered_files, read_inputs, source_checksum
from lapstrake.artifact.inputs.wildcard import expand
from lapstrake.errors import ProjectError

FIRST, SECOND = b"BR2_x=y\n", b"1.0.0\n"


def package(folder: Path, *entries: str) -> Package:
    return Package(
        name="sys", type=PackageType.SYSTEM, version="1.0", folder=folder, checksum=entries
    )


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return folder


def test_the_sum_is_that_of_nerves(tmp_path: Path) -> None:
    (tmp_path / "defconfig").write_bytes(FIRST)
    (tmp_path / "VERSION").write_bytes(SECOND)

    def checksum(*entries: str) -> str:
        return source_checksum(package(tmp_path, *entries))

    assert checksum().startswith("E3B0C44298FC1C14")
    assert checksum("defconfig") == (
        "52C611E2A2B3BCA9BFA47B738AE9ABCB9017C51DFCD0E434260E0DEC2D56DC6C"
    )
    both = "FBD3223280F5B353C0FE9C21D6E28A873115FAD60CD26793D926B31F28AF3E17"
    assert checksum("defconfig", "VERSION") == both
    assert checksum("VERSION", "defconfig") == (
        "40ECE2338D695D9039EC8291A83A6BDB15C15B6B3A4953D571CB72856AF2F360"
    )
    # Neither names nor modes count, nor does what is listed again.
    (tmp_path / "defconfig").rename(tmp_path / "other")
    (tmp_path / "other").chmod(0o755)
    assert checksum("other", "VERSION", "o*", "./other") == both


def test_large_files_are_read_to_their_end(tmp_path: Path) -> None:
    data = os.urandom(700_001)
    (tmp_path / "large").write_bytes(data)
    inputs = read_inputs(package(tmp_path, "large"))
    assert inputs.files["large"] == hashlib.sha256(data).digest()


def test_folders_are_sorted_by_whole_paths(tmp_path: Path) -> None:
    fill(tmp_path, "etc/a/x", "etc/a.b", "etc/.hidden", "etc/.dots/file", ".top", "etc.b")
    assert covered_files(package(tmp_path, "etc")) == ("etc/a.b", "etc/a/x")
    # A glob's folders are looked into one by one, so this order is another.
    assert covered_files(package(tmp_path, "etc/**")) == ("etc/a/x", "etc/a.b")
    assert covered_files(package(tmp_path, "etc*")) == ("etc/a.b", "etc/a/x", "etc.b")
    assert covered_files(package(tmp_path, "*", ".top", "etc/.dots")) == (
        "etc/a.b", "etc/a/x", "etc.b", ".top", "etc/.dots/file",
    )  # fmt: skip
    assert covered_files(package(tmp_path, "/etc/a/", "etc/../etc.b")) == ("etc/a/x", "etc.b")


def test_the_packages_own_path_is_no_pattern(tmp_path: Path) -> None:
    fill(tmp_path / "pkg", "file").joinpath("file").write_bytes(b"another")
    mine = fill(tmp_path / "p[k]g{x}", "file")
    assert read_inputs(package(mine, "*")).files == {"file": hashlib.sha256(b"file").digest()}


def test_links_are_followed_but_not_round_and_round(tmp_path: Path) -> None:
    inner = fill(tmp_path, "pkg/a/b/file", "outside/other") / "pkg"
    (inner / "a/b/loop").symlink_to("..")
    (inner / "a/self").symlink_to("self")
    (inner / "a/nowhere").symlink_to("missing")
    (inner / "a/out").symlink_to(tmp_path / "outside")
    (inner / "a/twice").symlink_to("b")
    (inner / "file").symlink_to("a/b/file")
    assert covered_files(package(inner, "a", "file", "a/**/loop")) == (
        "a/b/file", "a/out/other", "a/twice/file", "file", "a/b/loop/b/file", "a/b/loop/out/other",
        "a/twice/loop/b/file", "a/twice/loop/out/other",
    )  # fmt: skip


def test_only_regular_files_count(tmp_path: Path) -> None:
    fill(tmp_path, "file")
    os.mkfifo(tmp_path / "pipe")
    inputs = read_inputs(package(tmp_path, "pipe", "*", "missing", "no/*"))
    assert list(inputs.files) == ["file"]
    assert inputs.unmatched == ("pipe", "missing", "no/*")


@pytest.mark.parametrize("entry", ["{a,b", "{a,{b,c}}", "{a/b,c}"])
def test_malformed_entries_are_named(tmp_path: Path, entry: str) -> None:
    with pytest.raises(ProjectError) as error:
        source_checksum(package(tmp_path, entry))
    assert entry in str(error.value)
    assert "checksum of sys" in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").symlink_to("/proc/self/mem")  # reading its first byte is an error
    with pytest.raises(ProjectError, match="secret"):
        source_checksum(package(tmp_path, "secret"))


NAMES = ("]", "-", "^x", "b*c", "b[x", "bxc", "b{c", "c,d", "cc", "etc.b", ".top")
"""What the patterns below were tried on, beside ``etc/a/x``, ``etc/a.b`` and ``zz/y``."""

PATTERNS = {
    ".*": "", ".t*": "", ".top": ".top", "*/.": "", "{.top,cc}": "cc",
    "e*/a": "etc/a", "et?": "etc", "[!a-e]*": "b*c b[x bxc b{c c,d cc etc etc.b", "[^a]*": "^x",
    "{etc,z*}/*": "etc/a etc/a.b zz/y", "b\\*c": "b*c", "b\\{c": "b{c",
    "*/../zz": "etc/../zz zz/../zz",
    "b[x": "b[x", "[]]": "]", "[]a-c]*": "] b*c b[x bxc b{c c,d cc", "[-]": "-", "[a-]": "-",
    "{cc,}": "cc", "{,b}xc": "bxc", "[c-a]*": "- c,d cc", "etc//a.b": "etc/a.b", "[": "",
    "e*c/": "etc", "[etc]tc": "etc", "b[*]c": "b*c", "{b\\,c,cc}": "cc", "c{\\,}d": "c,d",
    "*c": "b*c bxc b{c cc etc", "{*.b,zz}": "etc.b zz", "{[a-e]tc,zz}": "etc zz",
    "etc{.b,}": "etc etc.b", "et{c}": "etc", "{}": "", "[]": "", "etc/**x": "",
    "**/a": "etc/a", "**/x": "etc/a/x",
    "etc/**/*": "etc/a etc/a.b etc/a/x", "etc/**": "etc/a etc/a.b etc/a/x",
    "***": "- ] ^x b*c b[x bxc b{c c,d cc etc etc.b zz",
}  # fmt: skip
"""What filelib:wildcard/1 of Erlang/OTP 25 finds when it is shown no names with a dot first."""


def test_patterns_mean_what_they_mean_to_nerves(tmp_path: Path) -> None:
    fill(tmp_path, *NAMES, "etc/a/x", "etc/a.b", "zz/y")
    found = {pattern: " ".join(expand(str(tmp_path), pattern)) for pattern in PATTERNS}
    assert found == PATTERNS


_LETTERS = st.text(alphabet="ab.", min_size=1, max_size=4).filter(lambda name: name[0] != ".")


@given(
    names=st.sets(_LETTERS, min_size=1, max_size=6), pattern=st.text(alphabet="ab.*?", min_size=1)
)
def test_plain_patterns_are_the_shells(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], pattern: str
) -> None:
    folder = tmp_path_factory.mktemp("names", numbered=True)
    for name in names:
        (folder / name).touch()
    if pattern.strip("*") == "" or not set(pattern) & set("*?"):
        pattern = f"{pattern}*a"
    assert expand(str(folder), pattern) == sorted(fnmatch.filter(names, pattern))


@given(st.text(alphabet=string.printable, max_size=20))
def test_no_pattern_is_a_surprise(tmp_path_factory: pytest.TempPathFactory, pattern: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "missing"
    with suppress(ProjectError):
        assert covered_files(package(folder, pattern)) == ()
