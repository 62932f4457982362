"""Sites as values: addresses, tokens, and what is shown of them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_sites import candidates
from lapstrake.artifact.base import FolderSite, Forge, ReleaseSite, Site, UrlSite
from lapstrake.artifact.sites.base import SiteError, Terms
from lapstrake.artifact.sites.forge import account_of, api_address, web_address
from lapstrake.artifact.sites.mirrors import mirrored
from lapstrake.artifact.sites.others import describe_others
from lapstrake.artifact.sites.resolve import local_folder
from lapstrake.artifact.sites.secrets import filled, origin_of, shown_url
from lapstrake.artifact.sites.url import address
from lapstrake.source.rules import Rewrite
from parcels import identity_of

_WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
_GITHUB = ReleaseSite(forge=Forge.GITHUB, repository="o/r", token="${MINE}")
_GITEA = ReleaseSite(forge=Forge.GITEA, repository="o/r", url="git.example.org", token="${MINE}")


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("https://a.org", "https://a.org/f%2Bx.tar.gz"),
        ("https://a.org/dl/", "https://a.org/dl/f%2Bx.tar.gz"),
        ("https://a.org/a%20b", "https://a.org/a%20b/f%2Bx.tar.gz"),
        ("https://a.org/dl?v=1#part", "https://a.org/dl/f%2Bx.tar.gz?v=1&q=1+%26"),
    ],
)
def test_address(folder: str, expected: str) -> None:
    query = {"q": "1 &"} if "?" in folder else {}
    assert address(folder, "f+x.tar.gz", query) == expected


@given(_WORDS, st.dictionaries(_WORDS, _WORDS, max_size=3))
def test_any_name_and_query_arrive(name: str, query: dict[str, str]) -> None:
    parts = urlsplit(address("https://a.org/dl?own=1", name, query))
    assert unquote(parts.path) == f"/dl/{name}"
    assert parse_qsl(parts.query) == [("own", "1"), *query.items()]


@given(st.text(max_size=30))
def test_any_text_can_be_shown(text: str) -> None:
    shown_url(text)
    assert "hidden" not in shown_url(f"https://user:hidden@a.org/{text.partition('#')[0]}")


def test_no_secret_is_shown() -> None:
    assert shown_url("https://u:pw@a.org:1/b?key=k#f") == "https://a.org:1/b"
    assert shown_url("https://[u:pw/b?key=k") == "https://[u:pw/b"
    site = UrlSite(url="https://u:pw@a.org/b?key=k", headers={"X": "h"}, query={"q": "v"})
    (place,) = candidates(site, identity_of())
    assert place.where == f"https://a.org/b/{identity_of().file_name}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///a/b%20c", Path("/a/b c")),
        ("file://localhost/a", Path("/a")),
        ("/a/b", Path("/a/b")),
        ("../b", Path("../b")),
        ("file://else/a", None),
        ("https://a.org/b", None),
        ("https://[a", None),
    ],
)
def test_local_folder(url: str, expected: Path | None) -> None:
    assert local_folder(url) == expected


def test_folders_are_below_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/users/me")
    name = identity_of().file_name
    places = {"../out": "/packages/out", "~/out": "/users/me/out", "/out": "/out"}
    for text, expected in places.items():
        for site in (FolderSite(path=Path(text)), UrlSite(url=text)):
            (place,) = candidates(site, identity_of(), Path("/packages/fish"))
            assert place.where == f"{expected}/{name}"


def test_variables_are_filled_in() -> None:
    environment = {"A": "1", "B": " 2\n", "C": "", "D": "x\ny", "E": "\u20ac"}
    assert filled("t ${A}${B} $A", environment) == "t 12 $A"
    with pytest.raises(SiteError, match="the variable C, which is not set"):
        filled("${A}${C}", environment)
    for name in "DE":
        with pytest.raises(SiteError, match=f"what {name} says") as refused:
            filled(f"${{{name}}}", environment)
        assert environment[name] not in str(refused.value)


@pytest.mark.parametrize("text", ["", "a.org", "ftp://a.org", "https:///a", "http://a:x/", "//a"])
def test_no_urls_of_the_web(text: str) -> None:
    with pytest.raises(SiteError):
        origin_of(text)


def test_addresses_of_forges() -> None:
    assert web_address(_GITHUB) == "https://github.com"
    assert api_address(_GITHUB) == "https://api.github.com"
    own = ReleaseSite(forge=Forge.GITHUB, repository="o/r", url="https://code.example.org/")
    assert api_address(own) == "https://code.example.org/api/v3"
    assert web_address(_GITEA) == "https://git.example.org"
    assert api_address(_GITEA) == "https://git.example.org/api/v1"
    tagged = ReleaseSite(forge=Forge.GITHUB, repository="o/r", tag="rel/1")
    public, api = candidates(tagged, identity_of())
    assert public.where.startswith("https://github.com/o/r/releases/download/rel%2F1/fish-")
    assert api.where == "https://api.github.com/repos/o/r/releases/tags/rel%2F1"
    only = ReleaseSite(forge=Forge.GITHUB, repository="o/r", api=True)
    assert [place.where for place in candidates(only, identity_of())] == [
        "https://api.github.com/repos/o/r/releases/tags/v1.2.0%2Brc1"
    ]


_OWN_GITHUB = ReleaseSite(
    forge=Forge.GITHUB, repository="o/r", url="https://code.org", token="${MINE}"
)
_ALL = {
    "GITHUB_TOKEN": "1",
    "GH_TOKEN": "2",
    "GH_ENTERPRISE_TOKEN": "3",
    "GITHUB_ENTERPRISE_TOKEN": "4",
    "GITEA_TOKEN": "5",
    "MINE": "6",
}


@pytest.mark.parametrize(
    ("site", "absent", "more", "expected"),
    [
        (_GITHUB, "", {}, "GITHUB_TOKEN"),
        (_GITHUB, "GITHUB_TOKEN", {}, "GH_TOKEN"),
        (_GITHUB, "GITHUB_TOKEN GH_TOKEN", {}, "MINE"),
        (_GITHUB, "GITHUB_TOKEN GH_TOKEN MINE", {}, ""),
        (_OWN_GITHUB, "", {}, "GH_ENTERPRISE_TOKEN"),
        (_OWN_GITHUB, "GH_ENTERPRISE_TOKEN", {}, "GITHUB_ENTERPRISE_TOKEN"),
        (_OWN_GITHUB, "", {"GITHUB_SERVER_URL": "https://code.org/"}, "GITHUB_TOKEN"),
        (_GITEA, "", {}, "GITEA_TOKEN"),
        (_GITEA, "", {"GITEA_SERVER_URL": "https://git.example.org"}, "GITEA_TOKEN"),
        (_GITEA, "", {"GITEA_SERVER_URL": "https://else.org"}, "MINE"),
        (_GITEA, "GITEA_TOKEN", {}, "MINE"),
    ],
)
def test_tokens(site: ReleaseSite, absent: str, more: dict[str, str], expected: str) -> None:
    environment = {k: v for k, v in _ALL.items() if k not in absent.split()} | more
    token = account_of(site, Terms(environment=environment)).token
    assert (token.origin if token else "") == expected
    assert not token or token.value == environment[expected]
    assert "value" not in repr(token)


def test_the_token_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "gh"
    program.write_text('#!/bin/sh\necho "$@" >> "$0.log"; [ "$4" = github.com ] && echo tok\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = account_of(_GITHUB, Terms(), ask_program=True)
    assert found.headers() == {"Authorization": "Bearer tok"}
    assert found.token
    assert found.token.origin == "gh auth token"
    assert account_of(_OWN_GITHUB, Terms(), ask_program=True).token is None
    asked = ["auth token --hostname github.com", "auth token --hostname code.org"]
    assert (tmp_path / "gh.log").read_text().splitlines() == asked
    account_of(_GITHUB, Terms(environment={"MINE": "x"}), ask_program=True)
    account_of(_GITEA, Terms(), ask_program=True)
    assert (tmp_path / "gh.log").read_text().splitlines() == asked


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "; it has nothing of fish"),
        (["fish", "other-linux_x86_64-1.2.0+rc1-E3B0C44.tar.gz"], "; it has nothing of fish"),
        (
            ["fish-darwin_arm-1.2.0+rc1-E3B0C44.tar.gz", "fish-linux_arm-1.2.0+rc1-E3B0C44"],
            "; it has this one for darwin_arm, linux_arm, not for linux_x86_64",
        ),
        (
            [f"fish-linux_x86_64-1.2.0+rc1-AAAAAA{n}.tar.xz" for n in range(7)],
            "; it has version 1.2.0+rc1 made from other inputs: checksum AAAAAA2, AAAAAA3,"
            " AAAAAA4, AAAAAA5, AAAAAA6 and 2 more, not E3B0C44",
        ),
        (["fish-portable-0.9-0000000.tar.gz"], "; of fish it has fish-portable-0.9-0000000.tar.gz"),
    ],
)
def test_what_there_is_instead(names: list[str], expected: str) -> None:
    assert describe_others(identity_of(), names) == expected


def test_mirrors() -> None:
    """The URL itself is asked only where the rule names it; headers stay with its own server."""
    rules = (
        Rewrite(
            prefix="https://a.org/", to=("https://m.org/a/", "file:///srv/a/", "https://a.org/")
        ),
        Rewrite(prefix="https://github.com/o/", to=("https://m.org/hub/",)),
        Rewrite(prefix="https://b.org/dl/", to=("https://m.org/b",)),
        Rewrite(prefix="https://api.github.com/", to=("https://m.org/api/",)),
    )

    def asked(site: Site) -> list[str]:
        places = (
            place
            for each in mirrored(site, identity_of(), rules)
            for place in candidates(each, identity_of())
        )
        return [place.where.removesuffix(f"/{identity_of().file_name}") for place in places]

    site = UrlSite(url="https://a.org/dl", headers={"X": "secret"}, query={"q": "1"})
    assert asked(site) == ["https://m.org/a/dl", "/srv/a/dl", "https://a.org/dl"]
    first, _, last = mirrored(site, identity_of(), rules)
    assert first == UrlSite(url="https://m.org/a/dl/", query={"q": "1"})
    assert last is site
    assert asked(UrlSite(url="https://a.organ/dl")) == ["https://a.organ/dl"]
    assert asked(UrlSite(url="https://b.org/dl")) == ["https://m.org/b"]
    quoted = quote(identity_of().file_name)
    release = "https://m.org/hub/r/releases/download/v1.2.0%2Brc1"
    assert [each.replace(f"/{quoted}", "") for each in asked(_GITHUB)] == [release]
    api = ReleaseSite(forge=Forge.GITHUB, repository="o/r", api=True)
    folder = FolderSite(path=Path("/x"))
    assert [mirrored(each, identity_of(), rules) for each in (api, folder)] == [(api,), (folder,)]
