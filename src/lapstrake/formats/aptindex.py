"""The files that make a folder an apt repository: ``Packages`` and ``Release`` (text only).

What the fields mean is in Debian's *repository format* and in apt-secure(8).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lapstrake.errors import PublishError
from lapstrake.formats.deb import Deb

BUILD_FIELD = "Lapstrake-Build"
"""The field of the index that names the build which published a package."""

# What the index says itself of a file; a package that says such things of itself is not believed.
_OURS = frozenset(
    {"filename", "size", "md5sum", "sha1", "sha256", "sha512", BUILD_FIELD.lower(), "status"}
)
_SECTION = 64  # packages in a section, on average
_FIRST = ("Package", "Version", "Architecture")
_READ = re.compile(
    rf"^(Package|Version|Architecture|Filename|Size|SHA256|{BUILD_FIELD}): (.*)$", re.MULTILINE
)
_SUM = re.compile(r"^ ([0-9a-f]{64}) +([0-9]+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One package of an index.

    Attributes:
        package: its name.
        version: with epoch and revision.
        architecture: Debian's name, or ``all``.
        location: where the file is, from the index's folder (the field ``Filename``).
        size: bytes of the file.
        sha256: of the file, in hexadecimal.
        build: the build that published it; empty when nobody said.
        stanza: its paragraph, without the empty line after it.
    """

    package: str
    version: str
    architecture: str
    location: str
    size: int
    sha256: str
    build: str
    stanza: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.location.rpartition("/")[2]

    @property
    def identity(self) -> tuple[str, str, str]:
        """What no two packages of an index share: name, version, architecture."""
        return (self.package, self.version, self.architecture)


def index_entry(deb: Deb, *, location: str, sha256: str, build: str = "") -> IndexEntry:
    """Describe a package's file: its control fields, where it is and what its bytes are."""
    lines = [
        f"Package: {deb.package}",
        f"Version: {deb.version}",
        f"Architecture: {deb.architecture}",
    ]
    known = _OURS | {name.lower() for name in _FIRST}
    lines += [f"{name}: {value}" for name, value in deb.fields if name.lower() not in known]
    lines += [f"Filename: {location}", f"Size: {deb.size}", f"SHA256: {sha256}"]
    if build:
        lines.append(f"{BUILD_FIELD}: {build}")
    return IndexEntry(
        package=deb.package,
        version=deb.version,
        architecture=deb.architecture,
        location=location,
        size=deb.size,
        sha256=sha256,
        build=build,
        stanza="\n".join(lines),
    )


def render_sections(entries: Iterable[IndexEntry]) -> list[bytes]:
    """Write ``Packages``, cut where the packages' names say, so that a change moves no other cut.

    The same entries give the same bytes, in whatever order they come.
    """
    sections: list[list[str]] = [[]]
    package = ""
    for entry in sorted(entries, key=lambda entry: (*entry.identity, entry.location)):
        if entry.package != package and zlib.crc32(entry.package.encode()) % _SECTION == 0:
            sections.append([])
        package = entry.package
        sections[-1].append(f"{entry.stanza}\n\n")
    return ["".join(section).encode("utf-8") for section in sections if section]


def parse_index(data: bytes) -> tuple[IndexEntry, ...]:
    """Read a ``Packages`` that `render_sections` wrote.

    Raises:
        PublishError: it is damaged.
    """
    entries = []
    for number, stanza in enumerate(data.decode("utf-8", "replace").split("\n\n"), start=1):
        if not stanza.strip():
            continue
        fields = dict(_READ.findall(stanza))
        try:
            entry = IndexEntry(
                package=fields["Package"],
                version=fields["Version"],
                architecture=fields["Architecture"],
                location=fields["Filename"],
                size=int(fields["Size"]),
                sha256=fields["SHA256"],
                build=fields.get(BUILD_FIELD, ""),
                stanza=stanza,
            )
        except (KeyError, ValueError) as wrong:
            raise PublishError(f"Packages: paragraph {number} is damaged: {wrong}") from wrong
        entries.append(entry)
    return tuple(entries)


def render_release(
    *, origin: str, label: str, suite: str, date: datetime, files: Mapping[str, tuple[str, int]]
) -> bytes:
    """Write ``Release`` for a flat repository.

    No architectures are named, since a flat index holds all; and there is no ``Valid-Until``: a
    branch that rests for a year is still good.

    Args:
        origin: for pinning.
        label: for people.
        suite: the branch.
        date: when, in UTC.
        files: the index files' SHA-256 sums in hexadecimal and their bytes, by name.
    """
    from email.utils import format_datetime  # not at start-up

    stamp = format_datetime(date).replace("+0000", "UTC")  # RFC 2822, in English everywhere
    lines = [
        f"Origin: {origin}",
        f"Label: {label}",
        f"Suite: {suite}",
        f"Codename: {suite}",
        f"Date: {stamp}",
        "Acquire-By-Hash: yes",
        "SHA256:",
    ]
    lines += [f" {digits} {size} {name}" for name, (digits, size) in sorted(files.items())]
    return ("\n".join(lines) + "\n").encode("utf-8")


def parse_release(data: bytes) -> dict[str, tuple[str, int]]:
    """Read the SHA-256 sums (digits, bytes) of a ``Release`` or ``InRelease``, by file name."""
    text = data.decode("utf-8", "replace")
    return {name: (digits, int(size)) for digits, size, name in _SUM.findall(text)}


def render_sources(*, uri: str, key: str) -> str:
    """Write the ``.sources`` file (deb822, sources.list(5)) that lets apt use a flat repository.

    Args:
        uri: the repository's folder: ``file:/...`` or ``http://...``.
        key: the public key as text; apt trusts it for this repository alone.
    """
    lines = "".join(f" {line or '.'}\n" for line in key.strip().splitlines())
    return f"Types: deb\nURIs: {uri}\nSuites: ./\nSigned-By:\n{lines}"
