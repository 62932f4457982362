"""The checksum of a package's inputs, byte for byte as Nerves computes it.

SHA-256 of the raw SHA-256 digests of the listed files' content, one behind the other: neither names
nor modes count, the order does. Each entry of the list is a pattern (see
`inputs.wildcard`); what it stands for is sorted by the whole path, a folder stands for
the files below it, links are followed, and a file that comes twice counts where it came first.
"""

# ruff: noqa: PTH114, PTH116, PTH120
# A package may have many files, and paths as texts are quick.
from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.artifact.inputs import wildcard
from lapstrake.errors import ProjectError

if TYPE_CHECKING:
    from lapstrake.artifact.base import Package

_PIECE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a package is made from.

    Attributes:
        files: each covered file, relative to the package, and the SHA-256 of its content, in order.
        unmatched: entries of the list that stand for nothing; Nerves ignores them, and so does the
            checksum, but they are mostly mistakes.
    """

    files: Mapping[str, bytes]
    unmatched: tuple[str, ...] = ()

    @cached_property
    def checksum(self) -> str:
        """64 digits in upper case."""
        return hashlib.sha256(b"".join(self.files.values())).hexdigest().upper()


def source_checksum(package: Package) -> str:
    """Compute the checksum of a package's inputs: 64 digits in upper case.

    Raises:
        ProjectError: a listed file cannot be read, or an entry is malformed.
    """
    return read_inputs(package).checksum


def covered_files(package: Package) -> tuple[str, ...]:
    """The files that a package's checksum covers, relative to the package, in their order.

    Raises:
        ProjectError: as `source_checksum`.
    """
    files, _ = _covered(package)
    return tuple(files)


def read_inputs(package: Package) -> Inputs:
    """Find and read what a package is made from.

    Raises:
        ProjectError: as `source_checksum`.
    """
    files, unmatched = _covered(package)
    try:
        digests = _digests(os.fspath(package.folder), files)
    except OSError as refused:
        raise ProjectError(
            f"{_place(package)}: {refused.filename}, which the checksum covers, cannot be read",
            details=refused.strerror or str(refused),
        ) from refused
    return Inputs(files=digests, unmatched=unmatched)


def checksum_of(folder: str, entries: Iterable[str]) -> str:
    """The checksum of the files that some entries stand for in a folder.

    Raises:
        ValueError: an entry is malformed.
        OSError: a file cannot be read.
    """
    files = dict.fromkeys(file for entry in entries for file in _files(folder, entry))
    return Inputs(files=_digests(folder, files)).checksum


def _digests(top: str, files: Iterable[str]) -> dict[str, bytes]:
    digests = {}
    for file in files:
        try:
            digests[file] = _digest(f"{top}/{file}")
        except OSError as refused:
            refused.filename = file  # read(2) tells none
            raise
    return digests


def _covered(package: Package) -> tuple[dict[str, None], tuple[str, ...]]:
    """The covered files in order, and the entries that cover none."""
    top = os.fspath(package.folder)
    fence = _Fence(package.inside) if package.inside else None
    files: dict[str, None] = {}
    unmatched = []
    for entry in package.checksum:
        try:
            found = list(_files(top, entry))
        except (ValueError, OSError) as wrong:
            said = wrong.strerror or "" if isinstance(wrong, OSError) else str(wrong)
            raise ProjectError(f"{_place(package)}: {entry!r}: {said}") from wrong
        if not found:
            unmatched.append(entry)
        files |= dict.fromkeys(
            each for each in found if fence is None or fence.holds(f"{top}/{each}")
        )
    return files, tuple(unmatched)


class _Fence:
    """Tells files that a fetched package came with from those that its links lead to.

    Those are ours: their digests would be told to the package's sites, in the name that is asked.
    """

    def __init__(self, inside: Path) -> None:
        self._top = os.path.realpath(inside)
        self._folders: dict[str, bool] = {}

    def holds(self, path: str) -> bool:
        """Whether a file is in the folder that was fetched, as links have it."""
        folder = os.path.dirname(path)
        if folder not in self._folders:
            self._folders[folder] = self._is_inside(folder)
        return self._is_inside(path) if os.path.islink(path) else self._folders[folder]

    def _is_inside(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real == self._top or real.startswith(f"{self._top}/")


def _files(top: str, entry: str) -> Iterator[str]:
    """The files that one entry stands for."""
    for path in wildcard.expand(top, entry):
        try:
            mode = os.stat(f"{top}/{path}").st_mode
        except OSError:  # a link to nothing, or to itself
            continue
        if stat.S_ISREG(mode):
            yield posixpath.normpath(path)
        elif stat.S_ISDIR(mode):
            yield from map(posixpath.normpath, wildcard.below(top, path))


def _digest(path: str) -> bytes:
    """SHA-256 of a file's content; what is no file any more does not make us wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        first = os.read(descriptor, _PIECE)
        total = hashlib.sha256(first)
        while len(first) == _PIECE:
            first = os.read(descriptor, _PIECE)
            total.update(first)
        return total.digest()
    finally:
        os.close(descriptor)


def _place(package: Package) -> str:
    """Where the list is, for messages."""
    return f"{package.file or package.folder}: checksum of {package.name}"
