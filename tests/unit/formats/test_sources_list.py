"""apt's lists of sources: round trips, errors with lines, and apt itself as the judge of URLs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path, PurePath
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapstrake.errors import ConfigError
from lapstrake.formats.sources_list import (
    ListStyle,
    SourceEntry,
    index_urls,
    is_exact,
    parse,
    render,
)

KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
=abcd
-----END PGP PUBLIC KEY BLOCK-----"""

WORD = st.from_regex(r"[a-z0-9][a-z0-9.+-]{0,8}", fullmatch=True)
URI = st.builds(
    "{}://{}/{}".format, st.sampled_from(["http", "https", "file", "mirror+http"]), WORD, WORD
)
OPTION_NAMES = [
    "by-hash",
    "languages",
    "languages-add",
    "check-valid-until",
    "architectures-remove",
]


@st.composite
def entries(draw: st.DrawFn, *, one_line: bool = False) -> SourceEntry:
    """An entry; for one line, only what a line can say."""
    exact = draw(st.booleans())
    suites = st.builds("{}/".format, WORD) if exact else WORD
    count = {"min_size": 1, "max_size": 1 if one_line else 3}
    signed = st.sampled_from(["", "/k/a.gpg", "/k/a.gpg,/k/b.asc"] + ([] if one_line else [KEY]))
    return SourceEntry(
        types=tuple(draw(st.lists(st.sampled_from(["deb", "deb-src"]), unique=True, **count))),  # type: ignore[arg-type]
        uris=tuple(draw(st.lists(URI, **count))),  # type: ignore[arg-type]
        suites=tuple(draw(st.lists(suites, **count))),  # type: ignore[arg-type]
        components=() if exact else tuple(draw(st.lists(WORD, min_size=1, max_size=3))),
        enabled=True if one_line else draw(st.booleans()),
        architectures=tuple(draw(st.lists(WORD, max_size=2))),
        signed_by=draw(signed),
        trusted=draw(st.sampled_from([None, True, False])),
        options=draw(st.dictionaries(st.sampled_from(OPTION_NAMES), WORD, max_size=3)),
    )


def read(text: str, style: ListStyle = ListStyle.ONE_LINE) -> tuple[SourceEntry, ...]:
    return parse(text, origin="x", style=style)


@settings(deadline=None)
@given(st.lists(entries(), max_size=4))
def test_stanzas_round_trip(written: list[SourceEntry]) -> None:
    text = render(written, style=ListStyle.DEB822)
    assert read(text, ListStyle.DEB822) == tuple(written)


@settings(deadline=None)
@given(st.lists(entries(one_line=True), max_size=4))
def test_lines_round_trip(written: list[SourceEntry]) -> None:
    assert read(render(written, style=ListStyle.ONE_LINE)) == tuple(written)


ANYTHING = st.text(alphabet="deb [=]#:/ \tax\n.", max_size=60) | st.text(max_size=20).map(
    "Types: deb\nURIs: a:b\nSuites: s\nComponents: {}\n".format
)


@settings(deadline=None)
@given(ANYTHING, st.sampled_from(ListStyle))
def test_any_text_is_read_or_refused_with_its_line(text: str, style: ListStyle) -> None:
    try:
        found = read(text, style)
    except ConfigError as error:
        brief = error.brief
    else:
        assert all(entry.uris and entry.suites for entry in found)
        return
    assert re.match(r"x:\d+: .", brief)


def test_a_stanza_becomes_lines_for_each_type_uri_and_suite() -> None:
    stanza = "Types: deb deb-src\nURIs: http://a/ http://b/\nSuites: s t\nComponents: main\n"
    lines = render(read(stanza, ListStyle.DEB822), style=ListStyle.ONE_LINE).splitlines()
    assert len(lines) == 8
    assert lines[0] == "deb http://a/ s main"
    assert lines[-1] == "deb-src http://b/ t main"


def test_one_line_options() -> None:
    text = (
        "deb [ arch=amd64,arm64 lang+=de trusted=yes signed-by=/k.gpg by-hash=no ] http://a s c\n"
    )
    (entry,) = read(text)
    assert entry.architectures == ("amd64", "arm64")
    assert entry.trusted is True
    assert entry.signed_by == "/k.gpg"
    assert entry.options == {"languages-add": "de", "by-hash": "no"}


def test_comments_and_cdrom() -> None:
    text = "# deb http://no s c\ndeb cdrom:[Debian 12 # x]/ bookworm main # contrib\n\n"
    (entry,) = read(text)
    assert entry.uris == ("cdrom:[Debian 12 # x]/",)
    assert entry.components == ("main",)
    assert entry.origin == "x:2"


def test_stanza_details() -> None:
    text = (
        "# a comment\nTYPES: deb\nuris: http://a\n# between\nSuites: s\nComponents:\n main\n"
        " contrib\nEnabled: no\nSigned-By:\n -----BEGIN\n .\n xyz\n\n \n\n"
        "Types: deb\nURIs: http://b\nSuites: ./\n"
    )
    first, second = read(text, ListStyle.DEB822)
    assert (first.components, first.enabled) == (("main", "contrib"), False)
    assert first.signed_by == "-----BEGIN\n\nxyz"
    assert first.origin == "x:2"
    assert second.suites == ("./",)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("\nrpm http://a s c", 2, "'rpm' is not a type"),
        ("deb http://a", 1, "no URI or no suite"),
        ("deb /a/b s c", 1, "'/a/b' is not a URI"),
        ("deb http://a s", 1, "has no components"),
        ("deb http://a s/ c", 1, "takes no components"),
        ("deb [arch=amd64 http://a s c", 1, "bracket"),
        ("deb [arch] http://a s c", 1, "'arch' is not an option"),
        ("deb [trusted=maybe] http://a s c", 1, "neither yes nor no"),
    ],
)
def test_wrong_lines(text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.brief.startswith(f"x:{line}: ")
    assert says in caught.value.brief


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("Types: deb\nURIs: http://a\nComponents: c\n", 1, "Suites is missing"),
        ("\n\nTypes: deb\nURIs:\nSuites: s\n", 3, "URIs is missing or empty"),
        ("Types: deb\nTypes: deb\n", 2, "there twice"),
        (" main\n", 1, "without a field"),
        ("Types: deb\nnonsense\n", 2, "not a field"),
        ("Types: deb\nURIs: http://a\nSuites: s\nComponents: c\nEnabled: perhaps\n", 1, "Enabled"),
    ],
)
def test_wrong_stanzas(text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, ListStyle.DEB822)
    assert caught.value.brief.startswith(f"x:{line}: ")
    assert says in caught.value.brief


def test_a_whole_key_does_not_fit_one_line() -> None:
    entry = SourceEntry(types=("deb",), uris=("http://a",), suites=("s/",), signed_by=KEY)
    with pytest.raises(ConfigError, match="whole key"):
        render([entry], style=ListStyle.ONE_LINE)


def test_index_urls_leave_out_what_gives_no_packages() -> None:
    text = "deb-src http://a s main\ndeb http://a s main\ndeb http://a/ s contrib\n"
    disabled = "Types: deb\nURIs: http://b\nSuites: s\nComponents: c\nEnabled: no\n"
    found = index_urls((*read(text), *read(disabled, ListStyle.DEB822)), "amd64")
    assert found == ("http://a/dists/s/InRelease",)


def test_style_of_a_file() -> None:
    assert ListStyle.of(PurePath("a/b.list")) is ListStyle.ONE_LINE
    assert ListStyle.of(PurePath("b.sources")) is ListStyle.DEB822
    assert ListStyle.of(PurePath("b.sources.save")) is None


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not installed")
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    written=st.lists(entries(), min_size=1, max_size=4),
    special=st.sampled_from(["./", "/", "a/b/", "x/$(ARCH)/"]),
    style=st.sampled_from(ListStyle),
)
def test_index_urls_are_those_of_apt(
    tmp_path: Path, written: list[SourceEntry], special: str, style: ListStyle
) -> None:
    plain = [
        SourceEntry(types=("deb",), uris=each.uris, suites=each.suites, components=each.components)
        for each in written
    ]
    odd = SourceEntry(types=("deb",), uris=("http://odd.invalid/flat",), suites=(special,))
    listed = {
        entry.uris + entry.suites: entry for entry in [*plain, odd]
    }.values()  # apt refuses repetitions with other components
    expected = {
        url for url in index_urls(listed, "riscv64") if not url.startswith(("mirror", "file"))
    }
    path = tmp_path / f"test.{style}"
    path.write_text(render(listed, style=style))
    assert expected == apt_index_urls(path, "riscv64")


def apt_index_urls(path: Path, arch: str) -> set[str]:
    """What ``apt-get update`` would fetch over HTTP, without fetching it."""
    parts = path.parent / "parts"
    lists = path.parent / "lists"
    parts.mkdir(exist_ok=True)
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    for old in parts.iterdir():
        old.unlink()
    shutil.copy(path, parts / path.name)
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": str(parts),
        "Dir::State::lists": str(lists),
        "APT::Architecture": arch,
        "APT::Architectures": arch,
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run(
        ["apt-get", "update", "--print-uris", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    urls = {unquote(line.split("'")[1]).replace("/./", "/") for line in lines}
    return {url for url in urls if url.endswith("/InRelease") and url.startswith("http")}


def test_exact_paths() -> None:
    assert is_exact("./")
    assert not is_exact("bookworm/updates")
