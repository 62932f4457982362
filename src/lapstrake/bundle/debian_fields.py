"""Debian control files with line numbers: values by python-debian, positions by a scan of ours.

python-debian drops lines it does not understand and keeps no positions; a packager needs both, so
the text is scanned first (deb822(5)).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from lapstrake.errors import BundleError
from lapstrake.host.files import read_regular
from lapstrake.names import package_name

_LONGEST = 64 << 20  # bytes; the longest changelogs have a few MiB
_FIELD = re.compile(r"([!-,.-9;-~][!-9;-~]*)\s*:")  # no colon, no leading hyphen, no blanks
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One paragraph of a control file.

    Attributes:
        file: the control file.
        line: where the paragraph starts, counted from 1.
        values: values by field name; the mapping does not care for upper and lower case.
        lines: for each field, in lower case, its first line's number.
        text: all lines of the file.
    """

    file: Path
    line: int
    values: Mapping[str, str]
    lines: Mapping[str, int]
    text: Sequence[str]

    def get(self, field: str) -> str:
        """Return a field's value without blanks around it; empty when it is not there."""
        return self.values.get(field, "").strip()

    def require(self, field: str) -> str:
        """Return a field's value.

        Raises:
            BundleError: the field is missing or empty.
        """
        value = self.get(field)
        if not value:
            raise self.error(field, f"the field {field} is missing or empty")
        return value

    def require_name(self, field: str) -> str:
        """Return a field's value, a package name.

        Raises:
            BundleError: the field is missing, or its value is not a package name.
        """
        value = self.require(field)
        try:
            return package_name(value)
        except BundleError as wrong:
            raise self.error(field, wrong.brief, resolution=wrong.resolution) from wrong

    def error(
        self, field: str, problem: str, *, near: str = "", resolution: str = ""
    ) -> BundleError:
        """Make an error that names the file and the line of a field.

        Args:
            field: the field; one that is not there counts as the paragraph's first line.
            problem: what is wrong.
            near: a piece of the value: the error names the line that holds it.
            resolution: what to do.
        """
        start = self.lines.get(field.lower(), self.line)
        lines = self._lines_of(start) if near else []
        offset = next((number for number, line in enumerate(lines) if near in line), 0)
        return BundleError(f"{self.file}:{start + offset}: {problem}", resolution=resolution)

    def _lines_of(self, start: int) -> list[str]:
        first, rest = self.text[start - 1], self.text[start:]
        return [first, *takewhile(lambda line: line[:1] in {" ", "\t", "#"}, rest)]


def read_text(file: Path) -> str:
    """Read a text file of a bundle.

    Raises:
        BundleError: the file is missing, unreadable or not UTF-8.
    """
    try:
        return read_regular(file, limit=_LONGEST).decode("utf-8")
    except FileNotFoundError as missing:
        raise BundleError(f"{file} does not exist") from missing
    except OSError as trouble:
        raise BundleError(f"{file}: {trouble.strerror}") from trouble
    except UnicodeDecodeError as trouble:
        line = trouble.object[: trouble.start].count(b"\n") + 1
        raise BundleError(f"{file}:{line}: not UTF-8", resolution="Save it as UTF-8.") from trouble


def parse(text: str, *, file: Path) -> tuple[Paragraph, ...]:
    """Parse a control file (``debian/control``, or a ``.dsc`` with or without a signature).

    Raises:
        BundleError: a line is no field, no continuation and no comment; or a field occurs twice.
    """
    from debian.deb822 import Deb822

    lines = _without_signature(text.splitlines(), file=file)
    positions = _scan(lines, file=file)
    values = list(Deb822.iter_paragraphs(lines))
    return tuple(
        Paragraph(file=file, line=min(found.values()), values=value, lines=found, text=lines)
        for found, value in zip(positions, values, strict=True)
    )


def _scan(lines: Sequence[str], *, file: Path) -> list[dict[str, int]]:
    """Find each paragraph's fields and their lines."""
    paragraphs: list[dict[str, int]] = []
    current: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        if not line.strip():
            current = {}
        elif not (line[0] in " \t" and current):
            match = _FIELD.match(line)
            if not match:
                raise BundleError(f"{file}:{number}: neither a field nor its continuation: {line}")
            name = match[1].lower()
            if name in current:
                raise BundleError(f"{file}:{number}: the field {match[1]} occurs twice")
            if not current:
                paragraphs.append(current)
            current[name] = number
    return paragraphs


def _without_signature(lines: list[str], *, file: Path) -> list[str]:
    """Blank all that is not signed text, so that line numbers stay true."""
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if not lines or lines[start].rstrip() != _SIGNED:
        return lines
    stripped = [line.rstrip() for line in lines]
    if "" not in stripped[start:] or _SIGNATURE not in stripped:
        raise BundleError(f"{file}:{start + 1}: the signature is cut off")
    body = stripped.index("", start)
    end = stripped.index(_SIGNATURE)
    return [line if body < number < end else "" for number, line in enumerate(lines)]
