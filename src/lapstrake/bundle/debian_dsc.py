"""A Debian source package's description, the ``.dsc`` file (dsc(5))."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lapstrake.bundle.debian_binaries import BinaryPackage
from lapstrake.bundle.debian_fields import Paragraph, parse, read_text
from lapstrake.errors import BundleError
from lapstrake.names import Digest
from lapstrake.source.spec import SourceKind, SourceSpec

FORMATS = ("1.0", "3.0 (native)", "3.0 (quilt)")
"""The source formats that dpkg-source unpacks without further programs."""

_FILE_NAME = re.compile(r"[A-Za-z0-9][\w.+~%-]*\Z", re.ASCII)
_DIGESTS = {"sha256": re.compile(r"[0-9a-f]{64}\Z"), "sha512": re.compile(r"[0-9a-f]{128}\Z")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file that a ``.dsc`` lists: its name, its size in bytes and what its bytes must be."""

    name: str
    size: int
    digest: Digest
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescription:
    """A ``.dsc`` file, read and checked.

    Attributes:
        paragraph: its fields.
        files: what it lists.
        binaries: what it builds.
        digest: of the ``.dsc`` itself.
    """

    paragraph: Paragraph
    files: tuple[ListedFile, ...]
    binaries: tuple[BinaryPackage, ...]
    digest: Digest


def read_description(path: Path) -> SourceDescription:
    """Read a ``.dsc`` file; a signature is neither needed nor checked, the sums are.

    Raises:
        BundleError: a field is missing or wrong, or the format is not one of `FORMATS`.
    """
    text = read_text(path)
    paragraphs = parse(text, file=path)
    if len(paragraphs) != 1:
        raise BundleError(f"{path}: {len(paragraphs)} paragraphs where a .dsc has one")
    paragraph = paragraphs[0]
    if (format_name := paragraph.require("Format")) not in FORMATS:
        raise paragraph.error(
            "Format",
            f"the source format {format_name!r} is not supported",
            resolution=f"Use one of {', '.join(FORMATS)}.",
        )
    return SourceDescription(
        paragraph=paragraph,
        files=tuple(_listed_files(paragraph)),
        binaries=tuple(_binaries(paragraph)),
        digest=Digest("sha256", hashlib.sha256(text.encode()).hexdigest()),
    )


def local_sources(path: Path, description: SourceDescription) -> tuple[SourceSpec, ...]:
    """Name the ``.dsc`` and the files next to it as sources.

    Raises:
        BundleError: a listed file is not there.
    """
    folder = path.parent.resolve()
    for file in description.files:
        if not (folder / file.name).is_file():
            raise BundleError(
                f"{path}:{file.line}: {file.name} is not next to the .dsc",
                resolution="Put all files of the source package into one folder.",
            )
    listed = [(path.name, description.digest, 1)]
    listed += [(file.name, file.digest, file.line) for file in description.files]
    return tuple(
        SourceSpec(
            kind=SourceKind.FILE,
            url=(folder / name).as_uri(),
            name=name,
            digest=digest,
            origin=f"{path}:{line}",
        )
        for name, digest, line in listed
    )


def _listed_files(paragraph: Paragraph) -> Iterator[ListedFile]:
    """Read the strongest of the checksum fields."""
    algorithm = "sha512" if paragraph.get("Checksums-Sha512") else "sha256"
    field = f"Checksums-{algorithm.capitalize()}"
    if not paragraph.get(field):
        raise paragraph.error(
            field, "the field Checksums-Sha256 is missing", resolution="Build it with dpkg ≥ 1.16."
        )
    start = paragraph.lines[field.lower()]
    rows = paragraph.values[field].split("\n")
    for number, row in enumerate(rows):
        words = row.split()
        if not words and number == 0:
            continue
        if len(words) != 3 or not words[1].isdigit() or not _DIGESTS[algorithm].match(words[0]):
            raise paragraph.error(
                field,
                f"{row.strip()!r} is not a checksum, a size and a file name",
                near=row.strip(),
            )
        if not _FILE_NAME.match(words[2]):
            raise paragraph.error(field, f"{words[2]!r} is not a plain file name", near=words[2])
        yield ListedFile(
            name=words[2],
            size=int(words[1]),
            digest=Digest(algorithm, words[0]),
            line=start + number,
        )


def _binaries(paragraph: Paragraph) -> Iterator[BinaryPackage]:
    """Read ``Package-List``; old packages have only ``Binary``, without architectures."""
    rows = [row.split() for row in paragraph.get("Package-List").split("\n") if row.strip()]
    if not rows:
        fallback = tuple(paragraph.get("Architecture").split()) or ("any",)
        for name in paragraph.require("Binary").replace(",", " ").split():
            yield BinaryPackage(name=name, architectures=fallback)
    for row in rows:
        if len(row) < 4:
            raise paragraph.error(
                "Package-List", f"{' '.join(row)!r} lacks type, section or priority", near=row[0]
            )
        extra = dict(word.partition("=")[::2] for word in row[4:])
        yield BinaryPackage(
            name=row[0],
            architectures=tuple(extra.get("arch", "any").split(",")),
            profiles=_formula(extra.get("profile", "")),
        )


def _formula(packed: str) -> str:
    """Write ``!nodoc+stage1,cross`` as a restriction formula: ``<!nodoc stage1> <cross>``."""
    return " ".join(f"<{group.replace('+', ' ')}>" for group in packed.split(",") if group)
