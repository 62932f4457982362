"""Files written so that nothing is ever half there, and removed so that nothing stands in the way.

A reader sees the old content or the new one, whenever we are killed and whenever the power fails:
written under a temporary name, flushed to the disk, renamed (`rename(2)`), and the folder flushed
too. What reads *other people's* trees is in `lapstrake.host.confined`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from lapstrake.errors import StoreError

TEMPORARY = ".lapstrake-tmp."
"""How the names of unfinished files and folders begin; see `remove_leftovers`."""

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS
_FIXED = 0x10 | 0x20  # FS_IMMUTABLE_FL, FS_APPEND_FL
_TOO_DEEP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG})
"""What Python answers to folders nested deeper than it has open files, or names, for."""
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h


def temporary_name(path: Path) -> Path:
    """A name beside `path` that nobody else uses, for what is not finished."""
    return path.with_name(f"{TEMPORARY}{os.urandom(6).hex()}.{path.name}"[:255])


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write a whole file in one step.

    Args:
        path: the file; replaced when it is there (a link is replaced, not followed).
        data: the whole content.
        mode: the permissions, whatever the umask.
        durable: flush to the disk before and after the rename; ``False`` for what can be made anew.

    Raises:
        OSError: nothing has changed then.
    """
    with open_atomic(path, mode=mode, durable=durable) as file:
        file.write(data)


@contextmanager
def open_atomic(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file to be written in pieces; it appears when the block ends well, else not at all.

    Args: as of `write_atomic`.
    """
    temporary = temporary_name(path)
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def copy_atomic(source: Path, target: Path, *, mode: int = 0o644, durable: bool = True) -> None:
    """Copy a regular file's bytes in one step; shared blocks (reflinks) where the disk has them."""
    with source.open("rb") as reader, open_atomic(target, mode=mode, durable=durable) as writer:
        copy_bytes(reader.fileno(), writer.fileno())


def link_atomic(source: Path, target: Path) -> None:
    """Give a file a second name (a hard link) in one step; a file that had the name is replaced."""
    temporary = temporary_name(target)
    os.link(source, temporary)
    try:
        temporary.replace(target)
    finally:
        # When both names are one file already, rename(2) does nothing and leaves both.
        with suppress(FileNotFoundError):
            temporary.unlink()


def copy_bytes(source: int, target: int) -> None:
    """Copy a regular file into an empty one, inside the kernel where that works.

    Holes stay holes: a sparse file may claim any size and would fill the disk.
    """
    size, position = os.fstat(source).st_size, 0
    if size == 0:  # what proc(5) says of files that it makes when they are read
        while chunk := os.read(source, 1 << 20):
            view = memoryview(chunk)
            while view:
                view = view[os.write(target, view) :]
        return
    while position < size:
        try:
            begin = os.lseek(source, position, os.SEEK_DATA)
        except OSError as refused:
            if refused.errno != errno.ENXIO:  # nothing but a hole is left
                raise
            break
        position = os.lseek(source, begin, os.SEEK_HOLE)
        _copy_range(source, target, begin, position)
    os.ftruncate(target, size)


def _copy_range(source: int, target: int, begin: int, end: int) -> None:
    """Copy bytes to the same place of another file."""
    try:
        while begin < end:
            copied = os.copy_file_range(source, target, end - begin, begin, begin)
            if not copied:
                break
            begin += copied
    except OSError as refused:
        # Not between file systems on old kernels, not for some special ones: then by hand.
        if refused.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    while begin < end:
        chunk = os.pread(source, min(end - begin, 1 << 20), begin)
        if not chunk:
            return  # somebody cut it short meanwhile
        begin += os.pwrite(target, chunk, begin)


def replace_dir(new: Path, target: Path, *, durable: bool = True) -> None:
    """Put the folder `new` at `target` in one step; what was there is removed afterwards.

    Both must be on one file system. Where the file system cannot exchange names (``EINVAL``), the
    old folder is renamed aside first, so `target` is missing for a moment.

    Args:
        new: a finished folder, which has no other name afterwards.
        target: where it goes; an existing folder there is replaced.
        durable: flush the folder's content and the rename to the disk.
    """
    if durable:
        sync_tree(new)
    try:
        os.rename(new, target)  # noqa: PTH104 - an empty or missing target needs no exchange
        old = None
    except OSError as refused:
        if refused.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        old = _exchange(new, target)
    if durable:
        sync_folder(target.parent)
        if new.parent != target.parent:
            sync_folder(new.parent)
    if old is not None:
        remove_tree(old)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk: renames in it survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Flush a file's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Flush a tree of regular files and folders to the disk, folders after what is in them."""
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            file = Path(folder, name)
            if stat.S_ISREG(file.lstat().st_mode):
                sync_file(file)
        sync_folder(Path(folder))


def remove_tree(path: Path) -> None:
    """Remove a file or a tree, whatever its permissions; nothing happens when it is missing.

    No link is followed. Mount points stay and raise: unmount first.
    """
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
    except FileNotFoundError:
        return
    try:
        if sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=_make_writable)
        else:
            shutil.rmtree(path, onerror=_make_writable)
    except (RecursionError, OSError) as refused:
        if isinstance(refused, OSError) and refused.errno not in _TOO_DEEP:
            raise
        # A thousand folders, each in the other: rm goes about it without a stack.
        from lapstrake.host.process import run  # not at start-up: such trees are rare

        run(["rm", "-rf", "--", path], timeout=600, error=StoreError, doing=f"removing {path}")


def remove_leftovers(folder: Path) -> int:
    """Remove what a killed process left unfinished in a folder; the caller holds the folder's lock.

    Returns:
        how many files and folders were removed.
    """
    leftovers = [entry for entry in folder.iterdir() if entry.name.startswith(TEMPORARY)]
    for leftover in leftovers:
        remove_tree(leftover)
    return len(leftovers)


def _make_writable(function: Callable[..., object], name: str, info: object) -> None:
    """Answer rmtree's refusals: give ourselves the folder's permissions, then try once more."""
    failure = info[1] if isinstance(info, tuple) else info
    if isinstance(failure, FileNotFoundError):
        return  # somebody else removed it
    if not isinstance(failure, PermissionError):
        raise failure if isinstance(failure, OSError) else OSError(name)
    path = Path(name)
    for each in (path.parent, path):
        if failure.errno == errno.EPERM:
            _allow_changes(each)
        if stat.S_ISDIR(each.lstat().st_mode):
            each.chmod(0o700)
    if function in (os.unlink, os.rmdir):
        function(name)
    else:
        remove_tree(path)


def _allow_changes(path: Path) -> None:
    """Clear the flags that keep even root from changing a file or folder (chattr(1): i, a)."""
    if not stat.S_ISREG(path.lstat().st_mode) and not path.is_dir():
        return  # opening a device or a FIFO can have effects
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            flags = int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)), sys.byteorder)
            changeable = (flags & ~_FIXED).to_bytes(4, sys.byteorder)
            fcntl.ioctl(descriptor, _SET_FLAGS, changeable)
        finally:
            os.close(descriptor)


def _exchange(new: Path, target: Path) -> Path:
    """Swap two folders' names, or nearly so; gives the name the old one has now."""
    import ctypes  # not at start-up: only replaced folders need it

    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE)
    if libc.renameat2(*arguments) == 0:
        return new
    failure = ctypes.get_errno()
    if failure not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(failure, os.strerror(failure), str(target))
    aside = temporary_name(target)
    target.rename(aside)
    new.rename(target)
    return aside


def copy_tree(source: Path, target: Path) -> None:
    """Copy a file or a tree; links stay links, set-id bits and owners are left behind."""
    if not source.is_dir() or source.is_symlink():
        _copy_plain(source, target)
        return
    target.mkdir(parents=True, exist_ok=True)
    for folder, folders, names in os.walk(source):
        here = target / Path(folder).relative_to(source)
        for name in [*folders, *names]:
            entry = Path(folder) / name
            if not entry.is_symlink() and entry.is_dir():
                (here / name).mkdir(exist_ok=True)
            else:
                _copy_plain(entry, here / name)


def _copy_plain(source: Path, target: Path) -> None:
    """Copy one link or regular file; sockets and devices are passed over.

    What stands at the target is replaced, never written through: it may be a hostile link.
    """
    target.unlink(missing_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_file():
        with source.open("rb") as reader, target.open("xb") as writer:
            copy_bytes(reader.fileno(), writer.fileno())
        facts = source.stat()
        target.chmod(facts.st_mode & 0o777)
        os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def read_regular(path: Path, *, limit: int) -> bytes:
    """Read a regular file that somebody else wrote: a FIFO does not make us wait for ever.

    Args:
        path: the file; a link is followed.
        limit: bytes that are read at most.

    Raises:
        OSError: it cannot be read, or is something else.
    """
    with open_regular(path) as file:
        return file.read(limit)


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """The same for what is read in pieces.

    Raises: as `read_regular`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            number = errno.EISDIR if stat.S_ISDIR(kind) else errno.EINVAL
            what = os.strerror(number) if stat.S_ISDIR(kind) else "Not a regular file"
            raise OSError(number, what, str(path))
        yield file


def sync_filesystem(path: Path) -> None:
    """Flush everything of the file system that holds a path: syncfs(2), one call for a tree."""
    import ctypes  # not at start-up: only few write trees

    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) == -1:
            raise OSError(ctypes.get_errno(), f"flushing {path}")
    finally:
        os.close(descriptor)


DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""The error numbers that speak of the disk and not of a mistake."""


def disk_error(failure: OSError, *, doing: str) -> StoreError:
    """Say what the disk refused: full, over quota, read-only, or whatever it was."""
    remedies = {
        errno.ENOSPC: "Free some space, or run `lapstrake store gc`.",
        errno.EDQUOT: "Your disk quota is used up: free some space, or run `lapstrake store gc`.",
        errno.EROFS: "The disk is mounted read-only: set work_dir to another one.",
    }
    what = failure.strerror or str(failure)
    place = f" ({failure.filename})" if failure.filename else ""
    return StoreError(f"{doing}: {what}{place}", resolution=remedies.get(failure.errno or 0, ""))
