"""Trees as tar streams, into a container and out of one.

What comes out was written by somebody hostile, so it is read as data: nothing but regular files
and folders is made, each below the target and by us alone.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from lapstrake.errors import LapstrakeError
from lapstrake.names import GuestPath

_DEEPEST = 256
_MOST = 1_000_000
_BLOCK = 1 << 18


def pack_tree(source: Path, target: GuestPath, file: BinaryIO) -> None:
    """Write a file or a tree as a tar that unpacks, at ``/``, to `target`.

    Everything is root's; links stay links; set-id bits, devices and sockets are left out.
    """

    def as_roots(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
            return None
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode &= 0o777
        return entry

    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(source, arcname=str(target.relative_to("/")), filter=as_roots)


def unpack_confined(stream: IO[bytes], target: Path, *, error: type[LapstrakeError]) -> int:
    """Take the regular files and folders out of a tar of one file or one folder.

    Args:
        stream: the tar; its first member is what becomes `target`, all others are below it.
        target: where the file goes, or the folder that takes the content (made when missing).
        error: raised when the tar is damaged, leaves its folder, or holds more than there is room.

    Returns:
        how many files were copied.
    """
    made: dict[str, Path] = {}
    copied = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for number, entry in enumerate(tar):
                if number == 0 and not (entry.isreg() or entry.isdir()):
                    raise error(f"{entry.name}: is not a regular file or a folder")
                if number > _MOST:
                    raise error(f"{entry.name}: more than {_MOST} files")
                place = _place(target, entry.name, error)
                if entry.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                elif entry.isreg():
                    _write(tar, entry, place, error)
                    copied += 1
                elif entry.islnk() and entry.linkname.strip("/") in made:
                    shutil.copy(made[entry.linkname.strip("/")], place)
                    copied += 1
                else:
                    continue
                made[entry.name.strip("/")] = place
    except tarfile.TarError as damaged:
        raise error(f"what the container holds cannot be read: {damaged}") from damaged
    return copied


def unpack_whole(stream: IO[bytes], target: Path, *, error: type[LapstrakeError]) -> None:
    """Take a file or a folder out of a tar with its links, modes and times.

    Nothing is written through a link: each member's folder must have come before it, as a folder.
    Owners, set-id bits and what is neither file, folder nor link are left behind.

    Args:
        stream: the tar; its first member is what becomes `target`, all others are below it.
        target: where it goes; must not exist.
        error: raised when the tar is damaged, leaves its folder, or holds more than there is room.
    """
    folders: dict[Path, tarfile.TarInfo] = {}
    files: dict[str, Path] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for entry in tar:
                place = _place(target, entry.name, error)
                if place != target and place.parent not in folders:
                    raise error(f"{entry.name!r} is in no folder")
                if entry.isdir():
                    place.mkdir()
                    folders[place] = entry
                elif entry.isreg():
                    _write(tar, entry, place, error)
                    os.utime(place, (entry.mtime, entry.mtime))
                    files[entry.name.strip("/")] = place
                elif entry.issym():
                    place.symlink_to(entry.linkname)
                elif entry.islnk() and entry.linkname.strip("/") in files:
                    place.hardlink_to(files[entry.linkname.strip("/")])
                elif place == target:
                    raise error(f"{entry.name} is neither a file nor a folder")
    except (tarfile.TarError, FileExistsError) as damaged:
        raise error(f"what the container holds cannot be read: {damaged}") from damaged
    for place, entry in reversed(folders.items()):  # those in a folder change its time
        place.chmod(entry.mode & 0o1777)
        os.utime(place, (entry.mtime, entry.mtime))


def _place(target: Path, name: str, error: type[LapstrakeError]) -> Path:
    """Where a member goes; its first component stands for the target itself."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise error(f"{name!r} leaves its folder")
    if len(parts) > _DEEPEST:
        raise error(f"{parts[0]}: folders more than {_DEEPEST} deep")
    return target.joinpath(*parts[1:])


def _write(
    tar: tarfile.TarFile, entry: tarfile.TarInfo, place: Path, error: type[LapstrakeError]
) -> None:
    """Write one file anew; a sparse one can claim any size, so the disk is asked first."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if entry.size > shutil.disk_usage(place.parent).free:
        raise error(f"{entry.name}: {entry.size} bytes are more than the disk has room for")
    content = tar.extractfile(entry)
    assert content is not None  # noqa: S101 - a regular file has one
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(place, flags, 0o600), "wb") as file:
        _copy_with_holes(content, file)
        os.fchmod(file.fileno(), entry.mode & 0o777)


def _copy_with_holes(content: IO[bytes], file: BinaryIO) -> None:
    """Copy a stream; blocks of zeros take no room, as engines send the holes of a file as such."""
    while block := content.read(_BLOCK):
        if block.count(0) == len(block):
            file.seek(len(block), os.SEEK_CUR)
        else:
            file.write(block)
    file.truncate()
