"""Folders of the host as they are at one moment: their digests, and which a build copies."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from lapstrake.artifact.builders.base import ENV, PLATFORM, Job
from lapstrake.errors import BuildError
from lapstrake.names import GuestPath

_PIECE = 1 << 20

LeaveOut = Callable[[str], bool]
"""Says of a name at the top of a folder whether it is left out."""


def is_private(name: str) -> bool:
    """Whether it is git's or ours, and no part of a package."""
    return name in {".git", ".nerves"}


def digest_of(folder: Path, *, leave_out: LeaveOut = is_private) -> str:
    """SHA-256 of names, kinds, execute bits and content of all that is in a folder; 64 digits.

    Raises:
        BuildError: it cannot be read.
    """
    total = hashlib.sha256()
    try:
        for name, path in _entries(folder, leave_out):
            facts = path.lstat()
            total.update(f"{name}\0{_kind(facts.st_mode)}\0".encode("utf-8", "surrogateescape"))
            if stat.S_ISLNK(facts.st_mode):
                total.update(os.fsencode(path.readlink()) + b"\0")
            elif stat.S_ISREG(facts.st_mode):
                with path.open("rb") as file:
                    total.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as refused:
        where = refused.filename or folder
        raise BuildError(f"reading {where}: {refused.strerror}") from refused
    return total.hexdigest()


def copied(job: Job) -> tuple[tuple[Path, GuestPath], ...]:
    """The folders that a build changes, and where it sees them; all others are read-only."""
    package, platform = job.package, job.package.platform
    if platform is None or platform.name != "buildroot":
        return ()
    machinery = ((job.platform.folder, PLATFORM),) if job.platform else ()
    # create-build.sh puts a Config.in into a package that has none.
    changes = job.platform is None or not (package.folder / "Config.in").exists()
    return (*machinery, *(((package.folder, ENV / package.name),) if changes else ()))


def is_left_out(name: str) -> bool:
    """Whether a name at the top of a copied folder stays behind, as Buildroot's unpacked source.

    What another builder left there is for other paths, or half done.
    """
    return is_private(name) or name == "buildroot" or name.startswith("buildroot-")


def _entries(folder: Path, leave_out: LeaveOut) -> Iterator[tuple[str, Path]]:
    """All names below a folder, sorted, with their paths."""
    for entry in sorted(folder.iterdir()):
        if leave_out(entry.name):
            continue
        yield entry.name, entry
        if entry.is_dir() and not entry.is_symlink():
            for name, path in _entries(entry, lambda _name: False):
                yield f"{entry.name}/{name}", path


def _kind(mode: int) -> str:
    return f"{stat.S_IFMT(mode):o}{'x' if mode & 0o100 else ''}"
