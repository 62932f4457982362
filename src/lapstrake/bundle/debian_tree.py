"""A Debian source tree: a folder with ``debian/control``, ``changelog`` and ``rules`` in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lapstrake.bundle.debian_binaries import BinaryPackage
from lapstrake.bundle.debian_dsc import FORMATS
from lapstrake.bundle.debian_fields import Paragraph, parse, read_text
from lapstrake.bundle.debian_relations import RelationError, split_relations
from lapstrake.errors import BundleError

_CHANGELOG_LINE = re.compile(r'Could not parse changelog: .*?: "?(.*?)"?$', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """A source tree, read and checked: its source paragraph, version and binary packages."""

    paragraph: Paragraph
    name: str
    version: str
    binaries: tuple[BinaryPackage, ...]


def read_tree(folder: Path) -> SourceTree:
    """Read a source tree.

    Raises:
        BundleError: a file is missing; a field is missing or wrong; control and changelog differ.
    """
    debian = folder / "debian"
    _check_format(debian / "source" / "format")
    if not (debian / "rules").is_file():
        raise BundleError(f"{debian / 'rules'} does not exist")
    control = debian / "control"
    paragraphs = parse(read_text(control), file=control)
    if not paragraphs:
        raise BundleError(f"{control} is empty")
    source, *packages = paragraphs
    name = source.require_name("Source")
    if not packages:
        raise source.error("Source", "there is no paragraph for a binary package")
    changelog_name, version = _read_changelog(debian / "changelog")
    if changelog_name != name:
        raise BundleError(
            f"{debian / 'changelog'}:1: the package is called {changelog_name!r} here"
            f" and {name!r} in {control}:{source.lines['source']}"
        )
    return SourceTree(
        paragraph=source, name=name, version=version, binaries=tuple(_binaries(packages))
    )


def _binaries(paragraphs: list[Paragraph]) -> Iterator[BinaryPackage]:
    for paragraph in paragraphs:
        depends: tuple[str, ...] = ()
        for field in ("Pre-Depends", "Depends"):
            try:
                depends += split_relations(paragraph.get(field), substitutions=True)
            except RelationError as wrong:
                raise paragraph.error(field, f"{field}: {wrong}", near=wrong.text) from wrong
        yield BinaryPackage(
            name=paragraph.require_name("Package"),
            architectures=tuple(paragraph.require("Architecture").split()),
            profiles=" ".join(paragraph.get("Build-Profiles").split()),
            depends=depends,
        )


def _check_format(file: Path) -> None:
    if not file.exists():
        return  # means 1.0
    first = read_text(file).strip().splitlines()[:1]
    if not first or first[0].strip() not in FORMATS:
        raise BundleError(
            f"{file}:1: the source format {''.join(first)!r} is not supported",
            resolution=f"Use one of {', '.join(FORMATS)}.",
        )


def _read_changelog(file: Path) -> tuple[str, str]:
    """Read the source package's name and version off the newest entry (deb-changelog(5))."""
    from debian.changelog import Changelog, ChangelogParseError

    text = read_text(file)
    try:
        entry = Changelog(text, max_blocks=1, strict=True)[0]
        return str(entry.package), str(entry.version)
    except ChangelogParseError as wrong:
        raise BundleError(
            f"{file}:{_line_of(str(wrong), text)}: {wrong}".replace(
                "Could not parse changelog: ", ""
            )
        ) from wrong
    except IndexError:
        raise BundleError(f"{file}: there is no entry") from None
    except ValueError as wrong:  # from the version
        raise BundleError(f"{file}:1: {wrong}") from wrong


def _line_of(problem: str, text: str) -> int:
    """Find the line that python-debian complains of: it quotes the line, not its number."""
    match = _CHANGELOG_LINE.search(problem)
    quoted = match[1].strip() if match else ""
    lines = text.splitlines()
    return next((n for n, line in enumerate(lines, 1) if quoted and quoted in line), 1)
