"""The tree of an image's last layer: which names it has, and their copies.

Root of the host works here on what packages' scripts left behind, so no link of theirs may ever be
followed: neither in the trees that are read nor in the one that is made.
"""

# ruff: noqa: PTH115
from __future__ import annotations

import errno
import filecmp
import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from lapstrake.host.layer_tar import OPAQUE, Entry
from lapstrake.image.leftovers import ELSEWHERE

_MOST_LINKS = 40  # as path_resolution(7)
_LARGEST_TEXT = 64 << 20
_elsewhere = re.compile(ELSEWHERE).fullmatch


def same(one: Entry, other: Entry) -> bool:
    """Whether two entries are alike: kind, mode, owner, content, attributes; times do not count."""
    mine, theirs = one.facts, other.facts
    if mine is None or theirs is None or one.path is None or other.path is None:
        return mine is theirs
    if (mine.st_mode, mine.st_uid, mine.st_gid) != (theirs.st_mode, theirs.st_uid, theirs.st_gid):
        return False
    if stat.S_ISLNK(mine.st_mode):
        return os.readlink(one.path) == os.readlink(other.path)
    if not stat.S_ISREG(mine.st_mode):
        return mine.st_rdev == theirs.st_rdev
    if mine.st_size != theirs.st_size or _attributes(one.path) != _attributes(other.path):
        return False
    if int(mine.st_mtime) == int(theirs.st_mtime):  # dpkg keeps a package's times
        return True
    return filecmp.cmp(one.path, other.path, shallow=False)


def is_file(entry: Entry) -> bool:
    """Whether it is a plain file; a link is none, wherever it leads."""
    return entry.path is not None and entry.facts is not None and stat.S_ISREG(entry.facts.st_mode)


def read(entry: Entry) -> bytes:
    """The bytes of a plain file.

    Raises:
        OSError: it is none, or too large for what is read here.
    """
    if not is_file(entry) or entry.facts is None:
        raise OSError(errno.EINVAL, "is no plain file", entry.name)
    if entry.facts.st_size > _LARGEST_TEXT:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), entry.name)
    return Path(str(entry.path)).read_bytes()


def _attributes(path: str) -> dict[str, bytes]:
    """The extended attributes that are a file's own."""
    return {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in os.listxattr(path, follow_symlinks=False)
        if name.startswith(("security.capability", "user.")) and ".overlay." not in name
    }


class Names:
    """The names of a root, to see where its links lead.

    Args:
        entries: what is there, without the slash in front.
        links: links that lead elsewhere than `entries` says.
    """

    def __init__(self, entries: Mapping[str, Entry], links: Mapping[str, str]) -> None:
        self._entries = entries
        self._links = links

    def target(self, name: str) -> str | None:
        """What a link holds; ``None`` for what is no link, or not there."""
        if name in self._links:
            return self._links[name]
        entry = self._entries.get(name)
        if entry is None or entry.path is None or entry.facts is None:
            return None
        return os.readlink(entry.path) if stat.S_ISLNK(entry.facts.st_mode) else None

    def exists(self, path: str) -> bool:
        """Whether a path is there when links are followed, or is nobody's business."""
        parts = [part for part in reversed(path.split("/")) if part]
        here: list[str] = []
        followed = 0
        while parts:
            part = parts.pop()
            if part in {".", ".."}:
                here = here[:-1] if part == ".." else here
                continue
            name = "/".join([*here, part])
            link = self.target(name)
            if link is not None:
                followed += 1
                if followed > _MOST_LINKS:
                    return False
                here = [] if link.startswith("/") else here
                parts += [word for word in reversed(link.split("/")) if word]
            elif name in self._entries:
                here.append(part)
            else:
                return _elsewhere("/".join([name, *reversed(parts), ""])) is not None
        return True


class Tree:
    """A tree that grows.

    Args:
        root: where; made.
        folders: the entries of folders above what is added, by name.
        time: everything gets this time, seconds since 1970.
    """

    def __init__(self, root: Path, folders: Mapping[str, Entry], *, time: int) -> None:
        self.root = root
        self._folders = folders
        self._time = time
        self._made: set[str] = set()
        self._made_folders: set[str] = {""}
        root.mkdir()

    def add(self, entry: Entry, *, link: str | None = None) -> None:
        """Copy something; a link may be told to lead elsewhere. Sockets are passed over."""
        if entry.facts is None or entry.path is None or entry.name in self._made:
            return
        path, mode = self._place(entry.name), entry.facts.st_mode
        if path is None:
            return
        if stat.S_ISDIR(mode):
            path.mkdir()
            self._made_folders.add(entry.name)
        elif stat.S_ISLNK(mode):
            path.symlink_to(link or os.readlink(entry.path))
        elif stat.S_ISREG(mode):
            shutil.copyfile(entry.path, path)
        elif stat.S_ISFIFO(mode):
            os.mkfifo(path)
        else:
            return
        self._made.add(entry.name)
        os.chown(path, entry.facts.st_uid, entry.facts.st_gid, follow_symlinks=False)
        if not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode))
            for name, value in _attributes(entry.path).items():
                os.setxattr(path, name, value)

    def write(self, name: str, data: bytes) -> None:
        """Replace the content of a plain file that was added."""
        flags = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self.root / name, flags), "wb") as file:
            file.write(data)

    def remove(self, name: str) -> None:
        """Take back a file or link."""
        (self.root / name).unlink()
        self._made.discard(name)

    def mark(self, name: str) -> None:
        """Say that something below is gone, as overlayfs does (overlayfs.rst, "whiteouts")."""
        folder, _, last = name.rpartition("/")
        path = self._place(name)
        if path is None:
            return
        if last != OPAQUE:
            os.mknod(path, stat.S_IFCHR, 0)
            return
        attribute = "trusted" if os.geteuid() == 0 and _is_host_root() else "user"
        os.setxattr(self.root / folder, f"{attribute}.overlay.opaque", b"y")

    def finish(self) -> None:
        """Give everything its time, folders after what is in them."""
        for folder, _, names in os.walk(self.root, topdown=False):
            for name in names:
                os.utime(Path(folder, name), (self._time, self._time), follow_symlinks=False)
            os.utime(folder, (self._time, self._time), follow_symlinks=False)

    def _place(self, name: str) -> Path | None:
        """The path of a name whose folders are made; ``None`` below what is no folder."""
        folder = name.rpartition("/")[0]
        if folder not in self._made and folder not in self._made_folders:
            self._make_folder(folder)
        return self.root / name if folder in self._made_folders else None

    def _make_folder(self, name: str) -> None:
        entry = self._folders.get(name)
        if entry is None:
            path = self._place(name)
            if path is not None:
                path.mkdir()
                self._made.add(name)
                self._made_folders.add(name)
        elif entry.facts is not None and stat.S_ISDIR(entry.facts.st_mode):
            self.add(entry)


def _is_host_root() -> bool:
    """Whether root here is root of the host, and no user's namespace."""
    return Path("/proc/self/uid_map").read_text("ascii").split()[:2] == ["0", "0"]
