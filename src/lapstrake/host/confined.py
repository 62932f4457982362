"""Read a tree that somebody hostile may have written, or may still be writing.

Every path is walked one component at a time from an open folder, and no link is followed at any of
them (``O_NOFOLLOW``), so nothing outside the tree can be reached, also while names are swapped
under us. A file's kind is looked at *before* it is opened for reading (``O_PATH``, see openat(2)):
opening a device or a FIFO can have effects or wait for ever.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lapstrake.errors import LapstrakeError, UnpackError
from lapstrake.host.files import copy_bytes

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 256
"""Folders inside folders that a tree may have; each file's folder is walked to from the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One regular file of a tree: its path below the tree, permissions (no set-id) and bytes."""

    path: PurePosixPath
    mode: int
    size: int


def read_confined(
    root: Path,
    path: PurePosixPath | str,
    *,
    limit: int = 1 << 20,
    error: type[LapstrakeError] = UnpackError,
) -> bytes | None:
    """Read a regular file of a tree.

    Args:
        root: the tree; the caller trusts this name, not what is below it.
        path: the file, from the tree's top; a leading ``/`` means the same top.
        limit: bytes the file may have.
        error: raised when the path leaves the tree, crosses a link, is no regular file or too big.

    Returns:
        its content, or ``None`` when there is no such file.
    """
    with open_confined(root, path, error=error) as file:
        if file is None:
            return None
        data = file.read(limit + 1)
    if len(data) > limit:
        raise error(f"{path}: more than {limit} bytes")
    return data


@contextmanager
def open_confined(
    root: Path, path: PurePosixPath | str, *, error: type[LapstrakeError] = UnpackError
) -> Iterator[BinaryIO | None]:
    """Open a regular file of a tree for reading; see `read_confined` for what is refused.

    Yields:
        the open file, or ``None`` when there is no such file.
    """
    descriptor = _open_file(root, path, error)
    if descriptor is None:
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        yield file


def walk_confined(
    root: Path,
    path: PurePosixPath | str = ".",
    *,
    entries: int = 1_000_000,
    deep: bool = True,
    error: type[LapstrakeError] = UnpackError,
) -> Iterator[Entry]:
    """List the regular files of a tree, or of a folder in it, sorted; links are left out.

    Args:
        root: the tree.
        path: the folder to begin at; nothing is listed when it is missing.
        entries: how many names of any kind the tree may have.
        deep: whether to look into the folders below.
        error: raised when there are more, folders nest too deep, or `path` crosses a link.
    """
    parts = _parts(path, error)
    seen = 0
    pending = [PurePosixPath(*parts)]
    while pending:
        current = pending.pop()
        if len(current.parts) > _DEEPEST:
            raise error(f"{path}: folders more than {_DEEPEST} deep")
        try:
            folder = _open_folder(root, current.parts, error)
        except FileNotFoundError:
            continue
        try:
            below: list[PurePosixPath] = []
            for name in sorted(os.listdir(folder)):  # noqa: PTH208 - a descriptor, no path
                seen += 1
                if seen > entries:
                    raise error(f"{path}: more than {entries} files")
                status = _look(folder, name)
                if status is None:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    below.append(current / name)
                elif stat.S_ISREG(status.st_mode):
                    mode = stat.S_IMODE(status.st_mode) & 0o777
                    yield Entry(path=current / name, mode=mode, size=status.st_size)
            if deep:
                pending.extend(reversed(below))
        finally:
            os.close(folder)


def copy_confined(
    root: Path,
    path: PurePosixPath | str,
    target: Path,
    *,
    error: type[LapstrakeError] = UnpackError,
) -> int:
    """Copy a regular file, or a folder's regular files and folders, out of a tree.

    Links, devices, sockets and FIFOs are left out; set-id bits are cut. A file that exists at the
    target is an error (``FileExistsError``): the target is ours and new.

    Args:
        root: the tree.
        path: the file or folder in it.
        target: where the file goes, or the folder that takes the content (made when missing).
        error: raised when `path` leaves the tree or crosses a link.

    Returns:
        how many files were copied; 0 when there is nothing at `path`.
    """
    parts = _parts(path, error)
    if not parts:
        return _copy_folder(root, PurePosixPath(), target, error)
    try:
        folder = _open_folder(root, parts[:-1], error)
    except FileNotFoundError:
        return 0
    try:
        status = _look(folder, parts[-1])
    finally:
        os.close(folder)
    if status is None:
        return 0
    if stat.S_ISLNK(status.st_mode):
        raise error(f"{path}: is a link")
    if stat.S_ISDIR(status.st_mode):
        return _copy_folder(root, PurePosixPath(*parts), target, error)
    return _copy_file(root, PurePosixPath(*parts), target, error)


def _copy_folder(
    root: Path, folder: PurePosixPath, target: Path, error: type[LapstrakeError]
) -> int:
    target.mkdir(parents=True, exist_ok=True)
    copied, room = 0, _room(target)
    for entry in walk_confined(root, folder, error=error):
        room -= entry.size  # a sparse file takes no room, but as long to read as any of its size
        if room < 0:
            raise error(f"{entry.path}: more than the disk has room for ({entry.size} bytes)")
        place = target / entry.path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        copied += _copy_file(root, entry.path, place, error)
    return copied


def _copy_file(root: Path, path: PurePosixPath, target: Path, error: type[LapstrakeError]) -> int:
    with open_confined(root, path, error=error) as file:
        if file is None:
            return 0
        facts = os.fstat(file.fileno())
        if facts.st_size > _room(target.parent):
            raise error(f"{path}: more than the disk has room for ({facts.st_size} bytes)")
        mode = stat.S_IMODE(facts.st_mode) & 0o777
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writer = os.open(target, flags, 0o600)
        try:
            copy_bytes(file.fileno(), writer)
            os.fchmod(writer, mode)
        finally:
            os.close(writer)
    return 1


def _room(folder: Path) -> int:
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def _parts(path: PurePosixPath | str, error: type[LapstrakeError]) -> tuple[str, ...]:
    pure = PurePosixPath(path)
    parts = tuple(part for part in pure.parts if part.strip("/"))
    if ".." in parts or "\0" in str(pure):
        raise error(f"{str(path)!r} leaves its tree")
    if any(len(os.fsencode(part)) > 255 for part in parts):
        raise error(f"{str(path)[:60]!r}...: a name longer than 255 bytes")
    return parts


def _open_folder(root: Path, parts: tuple[str, ...], error: type[LapstrakeError]) -> int:
    """Open a folder of the tree, one component after the other, none of them a link."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for done, part in enumerate(parts, start=1):
        try:
            below = os.open(part, _FOLDER, dir_fd=folder)
        except NotADirectoryError as wrong:  # what a link is to O_DIRECTORY | O_NOFOLLOW
            raise error(f"{'/'.join(parts[:done])}: is a link or a file, not a folder") from wrong
        finally:
            os.close(folder)
        folder = below
    return folder


def _open_file(root: Path, path: PurePosixPath | str, error: type[LapstrakeError]) -> int | None:
    parts = _parts(path, error)
    if not parts:
        raise error(f"{str(path)!r} does not name a file")
    try:
        folder = _open_folder(root, parts[:-1], error)
    except FileNotFoundError:
        return None
    try:
        handle = os.open(parts[-1], _LOOK, dir_fd=folder)
    except FileNotFoundError:
        return None
    finally:
        os.close(folder)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise error(f"{path}: is not a regular file")
        # The handle is this very file, whatever its name means by now; /proc reopens it.
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(handle)


def _look(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
