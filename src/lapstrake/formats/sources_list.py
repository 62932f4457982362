"""apt's lists of sources, as values: one-line ``.list`` and deb822 ``.sources`` files.

Both are described in sources.list(5). Nothing is resolved here: an entry says what its text says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from pathlib import PurePath

from lapstrake.errors import ConfigError


class ListStyle(StrEnum):
    """How a list is written; the value is the suffix of such files, without the dot."""

    ONE_LINE = "list"
    DEB822 = "sources"

    @classmethod
    def of(cls, path: PurePath) -> ListStyle | None:
        """The style that a file's suffix tells; ``None`` for a file that apt would not read."""
        return next((style for style in cls if path.suffix == f".{style}"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry:
    """One line, or one stanza: every type of every suite at every URI.

    Attributes:
        types: ``deb``, ``deb-src``.
        uris: where the archives are.
        suites: suites below ``dists/``, or exact paths that end in a slash (flat repositories).
        components: empty for exact paths.
        enabled: whether apt uses it.
        architectures: the architectures it is for; empty for all.
        signed_by: the keys that may sign it: keyrings' paths and fingerprints, separated by commas,
            or a whole armoured key.
        trusted: ``[trusted=yes]`` or ``no``; ``None`` when it is not said.
        options: apt's other options, by their lower-case names in deb822 (``by-hash``).
        origin: where it was said, for messages: ``stable.list:3``. No part of the value.
    """

    types: tuple[str, ...]
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...] = ()
    enabled: bool = True
    architectures: tuple[str, ...] = ()
    signed_by: str = ""
    trusted: bool | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    origin: str = field(default="", compare=False)

    @property
    def embeds_key(self) -> bool:
        """Whether `signed_by` is a whole key."""
        return "\n" in self.signed_by


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceList:
    """A list with its text, which is installed as it is.

    Attributes:
        entries: what it says; empty means: whatever the base OS has.
        text: the file's content.
        style: how it is written.
        origin: the file's path, or what else it came from.
    """

    entries: tuple[SourceEntry, ...]
    text: str
    style: ListStyle
    origin: str


_TYPES = ("deb", "deb-src")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S*\Z|[a-zA-Z][a-zA-Z0-9+.-]*:\[.*\]\S*\Z")
_WORD = re.compile(r"(?:\[[^\]]*\]|[^\s\[\]#])+")  # brackets may hold blanks and #
_OPTION = re.compile(r"([a-z0-9][a-z0-9-]*?)([+-]?)=(.*)\Z")
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*?)[ \t]*\Z")
_TRUTHS = {
    **dict.fromkeys(("yes", "true", "with", "on", "enable", "1"), True),
    **dict.fromkeys(("no", "false", "without", "off", "disable", "0"), False),
}  # apt's own words, apt-pkg's StringToBool
_TO_FIELD = {"arch": "architectures", "lang": "languages", "target": "targets"}
_TO_OPTION = {field_name: option for option, field_name in _TO_FIELD.items()}
_CHANGES = {"+": "-add", "-": "-remove"}
_LISTS = frozenset({"architectures", "languages", "targets", "include", "exclude"})
_ESSENTIAL = ("types", "uris", "suites")


def parse(text: str, *, origin: str, style: ListStyle) -> tuple[SourceEntry, ...]:
    """Read a list.

    Args:
        text: the file's content.
        origin: the file's name, for messages.
        style: how it is written.

    Raises:
        ConfigError: the text is no such list; the brief names file and line.
    """
    reader = _one_line_entries if style is ListStyle.ONE_LINE else _deb822_entries
    return tuple(reader(text, origin))


def render(entries: Iterable[SourceEntry], *, style: ListStyle) -> str:
    """Write a list that `parse` reads back to the same meaning.

    One-line lists get a line for each type, URI and suite.

    Raises:
        ConfigError: an entry cannot be said in this style (a whole key in one line).
    """
    if style is ListStyle.DEB822:
        return "\n".join(_stanza(entry) for entry in entries)
    return "".join(line for entry in entries for line in _lines(entry))


def index_urls(entries: Iterable[SourceEntry], arch: str) -> tuple[str, ...]:
    """The URLs of the ``InRelease`` files that tell ``apt update`` of new packages.

    An entry for other architectures counts: apt takes the packages for all architectures from it.

    Args:
        entries: disabled ones and those of sources only are left out.
        arch: Debian's name of the architecture, which apt puts in the place of ``$(ARCH)``.
    """
    urls: dict[str, None] = {}
    for entry in entries:
        if not entry.enabled or "deb" not in entry.types:
            continue
        for uri, suite in product(entry.uris, entry.suites):
            base = uri.replace("$(ARCH)", arch).rstrip("/")
            place = suite.replace("$(ARCH)", arch)
            folder = place.removeprefix("./") if is_exact(suite) else f"dists/{place}/"
            name = entry.options.get("inrelease-path", "InRelease")
            urls[f"{base}/{folder.lstrip('/')}{name}"] = None
    return tuple(urls)


def is_exact(suite: str) -> bool:
    """Whether a suite is the exact path of a flat repository."""
    return suite.endswith("/")


# ---- reading


def _one_line_entries(text: str, origin: str) -> Iterator[SourceEntry]:
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{origin}:{number}"
        words = _words(line, place)
        if not words:
            continue
        options: dict[str, str] = {}
        if len(words) > 1 and words[1].startswith("["):
            options = _options(words.pop(1)[1:-1], place)
        kind, *rest = words
        fields = {"types": kind, "uris": " ".join(rest[:1]), "suites": " ".join(rest[1:2])}
        if len(rest) < 2:
            raise _wrong(place, f"{line.strip()!r} has no URI or no suite")
        yield _entry(
            {**options, **fields, "components": " ".join(rest[2:])}, place, uris=(rest[0],)
        )


def _words(line: str, place: str) -> list[str]:
    """Split a line at blanks outside brackets, up to a comment."""
    words: list[str] = []
    position = 0
    while position < len(line) and line[position] != "#":
        if line[position].isspace():
            position += 1
            continue
        found = _WORD.match(line, position)
        if found is None:
            raise _wrong(place, "a bracket is not closed, or not opened")
        words.append(found.group())
        position = found.end()
    return words


def _options(text: str, place: str) -> dict[str, str]:
    """Read the options between brackets, into fields of deb822."""
    fields: dict[str, str] = {}
    for word in text.split():
        found = _OPTION.match(word)
        if found is None:
            raise _wrong(place, f"{word!r} is not an option (name=value)")
        name, change, value = found.groups()
        name = _TO_FIELD.get(name, name)
        key = name + _CHANGES.get(change, "")
        fields[key] = value.replace(",", " ") if name in _LISTS else value
    return fields


def _deb822_entries(text: str, origin: str) -> Iterator[SourceEntry]:
    fields: dict[str, str] = {}
    start = name = ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        place = f"{origin}:{number}"
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield _entry(fields, start)
            fields, name = {}, ""
        elif line[0] in " \t":
            if not name:
                raise _wrong(place, "a continued line without a field above it")
            fields[name] += "\n" + ("" if line.strip() == "." else line.strip())
        else:
            found = _FIELD.match(line)
            if found is None:
                raise _wrong(place, f"{line!r} is not a field (Name: value)")
            name = found.group(1).lower()
            if name in fields:
                raise _wrong(place, f"the field {found.group(1)} is there twice")
            start = start if fields else place
            fields[name] = found.group(2)


def _entry(fields: Mapping[str, str], place: str, uris: tuple[str, ...] = ()) -> SourceEntry:
    """Check one entry; `uris` holds the ones that blanks must not split."""
    rest = dict(fields)
    for name in _ESSENTIAL:
        if not rest.get(name, "").strip():
            raise _wrong(place, f"the field {_title(name)} is missing or empty")
    entry = SourceEntry(
        types=_split(rest.pop("types")),
        uris=uris or _split(rest["uris"]),
        suites=_split(rest.pop("suites")),
        components=_split(rest.pop("components", "")),
        enabled=_truth(rest.pop("enabled", "yes"), "Enabled", place),
        architectures=_split(rest.pop("architectures", "")),
        signed_by=rest.pop("signed-by", "").strip("\n"),
        trusted=_truth(rest.pop("trusted"), "Trusted", place) if "trusted" in rest else None,
        options={k: " ".join(v.split()) for k, v in rest.items() if k != "uris"},
        origin=place,
    )
    _check(entry, place)
    return entry


def _check(entry: SourceEntry, place: str) -> None:
    for kind in entry.types:
        if kind not in _TYPES:
            raise _wrong(place, f"{kind!r} is not a type of source (deb or deb-src)")
    for uri in entry.uris:
        if not _URI.match(uri):
            raise _wrong(place, f"{uri!r} is not a URI")
    for suite in entry.suites:
        if is_exact(suite) and entry.components:
            raise _wrong(place, f"the exact path {suite!r} takes no components")
        if not is_exact(suite) and not entry.components:
            raise _wrong(
                place, f"the suite {suite!r} has no components (an exact path ends in a slash)"
            )


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _truth(text: str, name: str, place: str) -> bool:
    truth = _TRUTHS.get(text.strip().lower())
    if truth is None:
        raise _wrong(place, f"{name} is {text!r}, neither yes nor no")
    return truth


def _wrong(place: str, text: str) -> ConfigError:
    return ConfigError(f"{place}: {text}", resolution="See sources.list(5).")


# ---- writing


def _stanza(entry: SourceEntry) -> str:
    fields = {
        "types": " ".join(entry.types),
        "uris": " ".join(entry.uris),
        "suites": " ".join(entry.suites),
        "components": " ".join(entry.components),
        "architectures": " ".join(entry.architectures),
        **entry.options,
        "enabled": "" if entry.enabled else "no",
        "trusted": _yes_no(entry.trusted),
        "signed-by": _folded(entry.signed_by) if entry.embeds_key else entry.signed_by,
    }
    return "".join(
        f"{_title(name)}:{'' if value.startswith(chr(10)) else ' '}{value}\n"
        for name, value in fields.items()
        if value
    )


def _folded(key: str) -> str:
    return "".join(f"\n {line or '.'}" for line in key.splitlines())


def _lines(entry: SourceEntry) -> Iterator[str]:
    if entry.embeds_key:
        raise ConfigError(
            f"{entry.origin or 'a source'}: a whole key in Signed-By cannot be written in one line",
            resolution="Use a .sources file, or put the key in a file.",
        )
    fields = {
        "architectures": " ".join(entry.architectures),
        **entry.options,
        "trusted": _yes_no(entry.trusted),
        "signed-by": entry.signed_by,
    }
    options = " ".join(_option(name, value) for name, value in fields.items() if value)
    for kind, uri, suite in product(entry.types, entry.uris, entry.suites):
        words = [kind, f"[{options}]" if options else "", uri, suite, *entry.components]
        yield ("" if entry.enabled else "# ") + " ".join(filter(None, words)) + "\n"


def _option(name: str, value: str) -> str:
    sign = next((sign for sign, ending in _CHANGES.items() if name.endswith(ending)), "")
    stem = name.removesuffix(_CHANGES.get(sign, ""))
    return f"{_TO_OPTION.get(stem, stem)}{sign}={','.join(value.split())}"


def _yes_no(truth: bool | None) -> str:
    return "" if truth is None else "yes" if truth else "no"


def _title(name: str) -> str:
    return "URIs" if name == "uris" else "-".join(part.capitalize() for part in name.split("-"))
