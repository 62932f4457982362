"""Trees of layers as one tar of an image's layer, the same bytes on every machine.

An image's layers say what is gone with names (OCI image specification, layer.md) where overlayfs
says it with devices and attributes (Documentation/filesystems/overlayfs.rst)::

    character device 0:0 at NAME        an empty file .wh.NAME
    trusted. or user.overlay.opaque=y   an empty file .wh..wh..opq in the folder

Names are sorted, owners are numbers, times are whole seconds, and headers are those of ustar; a pax
record (pax(1), POSIX.1-2017) stands before an entry only where ustar has no room for it. The
standard library alone is used: `lapstrake.host.owned.run_module` starts this where a rootless
store's files can be read.
"""

# ruff: noqa: PTH115, PTH118, PTH208
# os.path is quick, and a tree has many files.
from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
"""How names of an image's layer begin that say what is gone; the mark of a closed folder."""

_OPAQUE_ATTRIBUTES = ("trusted.overlay.opaque", "user.overlay.opaque")
_PRIVATE_ATTRIBUTES = ("trusted.overlay.", "user.overlay.", "system.posix_acl", "security.selinux")
_ATTRIBUTE = b"SCHILY.xattr."  # the pax record that tar programs and engines agree on
_BLOCK = 512
_PIECE = 1 << 20
_DPKG = "var/lib/dpkg/"
_DOCUMENTATION = "usr/share/doc/"
_BIGGEST_ID, _BIGGEST_SIZE = 0o7777777, 0o77777777777
_MOST_HOLES = 64 << 30
END = bytes(2 * _BLOCK)
"""How a tar ends."""


class Sink(Protocol):
    """Takes the tar's bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some more."""
        ...


class Place(NamedTuple):
    """A tree, and the folder of the image that it is put in (empty for the root)."""

    tree: str
    target: str = ""


class Entry(NamedTuple):
    """One name of a layer; neither `path` nor `facts` for a mark of something gone.

    A folder that only leads to a tree's target has `facts` of its own making and no `path`.
    """

    name: str
    path: str | None
    facts: os.stat_result | None


def read_places(
    places: Sequence[Place], left_out: Callable[[str], object] | None = None
) -> list[Entry]:
    """All entries of trees (lowest first), merged, in the tar's order.

    Args:
        places: those at the root are merged as overlayfs would show them; the others just put in.
        left_out: says which names are not taken; a folder takes all below with it.
    """
    roots = tuple(place.tree for place in reversed(places) if not place.target)
    found = list(merged(roots, "", left_out)) if roots else []
    names = {entry.name for entry in found}
    for target in sorted({place.target for place in places if place.target}):
        trees = tuple(place.tree for place in reversed(places) if place.target == target)
        above = target.split("/")
        leading = ["/".join(above[: depth + 1]) for depth in range(len(above))]
        facts = os.stat_result((stat.S_IFDIR | 0o755, 0, 0, 2, 0, 0, 0, 0, 1, 0))
        found += [Entry(name, None, facts) for name in leading[:-1] if name not in names]
        names.update(leading)
        found.append(Entry(target, trees[0], os.lstat(trees[0])))
        found += merged(trees, f"{target}/", left_out)
    return found


def merged(
    trees: Sequence[str], folder: str, left_out: Callable[[str], object] | None = None
) -> Iterator[Entry]:
    """Walk trees as overlayfs would show them.

    Args:
        trees: folders that are one folder of the root, uppermost first.
        folder: that folder's name in the root, with a slash at its end unless it is the root.
        left_out: see `read_places`.
    """
    shown: dict[str, list[str]] = {}  # the paths that make up a name, uppermost first
    uppermost: dict[str, os.stat_result] = {}
    closed: set[str] = set()  # names that nothing further down adds to
    hidden: set[str] = set()  # of those, folders that hide what is below this whole group
    for tree in trees:
        for name in os.listdir(tree):
            if name in closed:
                continue
            path = os.path.join(tree, name)
            facts = os.lstat(path)
            is_folder = stat.S_ISDIR(facts.st_mode)
            if name in shown and not is_folder:  # a folder over something else starts afresh
                closed.add(name)
                hidden.add(name)
                continue
            uppermost.setdefault(name, facts)
            shown.setdefault(name, []).append(path)
            if not is_folder or is_opaque(path):
                closed.add(name)
                hidden.add(name)
    for name in sorted(shown):
        full = f"{folder}{name}"
        if left_out is not None and left_out(full):
            continue
        facts = uppermost[name]
        if is_whiteout(facts):
            yield Entry(f"{folder}{WHITEOUT}{name}", None, None)
            continue
        yield Entry(full, shown[name][0], facts)
        if stat.S_ISDIR(facts.st_mode):
            if name in hidden:
                yield Entry(f"{full}/{OPAQUE}", None, None)
            yield from merged(shown[name], f"{full}/", left_out)


def is_whiteout(facts: os.stat_result) -> bool:
    """Whether this is overlayfs' mark for a name that is gone."""
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0


def is_opaque(path: str) -> bool:
    """Whether a folder hides all that is below it."""
    for name in _OPAQUE_ATTRIBUTES:
        try:
            if os.getxattr(path, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def refuse_holes(entries: Sequence[Entry]) -> None:
    """Refuse files that cost no disk and would be read for hours.

    A script can make a file of terabytes that has no blocks; no limit on a root's disk sees it.

    Raises:
        OSError: there are more holes than a disk that compresses by itself would make.
    """
    holes, biggest, name = 0, 0, ""
    for entry in entries:
        if entry.facts is not None and stat.S_ISREG(entry.facts.st_mode):
            hole = max(0, entry.facts.st_size - entry.facts.st_blocks * 512)
            holes += hole
            biggest, name = max((biggest, name), (hole, entry.name))
    if holes > _MOST_HOLES:
        raise OSError(errno.EFBIG, f"{holes} bytes of files are holes; an image has no room", name)


def newest(entries: Sequence[Entry]) -> int:
    """When the newest of what packages brought was made, in whole seconds since 1970.

    A package's documentation is as old as the package (its change log is in it). What has none is
    as old as its newest file, but for what dpkg writes of it: that is made when it is unpacked.
    """
    times = [
        (entry.name, int(entry.facts.st_mtime))
        for entry in entries
        if entry.facts is not None and not stat.S_ISDIR(entry.facts.st_mode)
    ]
    documented = [time for name, time in times if name.startswith(_DOCUMENTATION)]
    return max(documented or [time for name, time in times if not name.startswith(_DPKG)] or [0])


def write_entries(
    target: Sink,
    entries: Iterable[Entry],
    *,
    latest: int,
    plain: bool,
    attributes: bool = True,
) -> None:
    """Write entries as a tar, but for its end.

    Args:
        target: takes the bytes.
        entries: as `read_places` gives them.
        latest: nothing is younger: what is, was made when the tree was, and is given this time.
        plain: everything belongs to root.
        attributes: keep extended attributes.
    """
    links: dict[tuple[int, int], str] = {}
    for name, path, facts in entries:
        if facts is None:
            target.write(_header(name.encode(), b"0", mode=0o644))
            continue
        mode = facts.st_mode
        kind = _KINDS.get(stat.S_IFMT(mode))
        if kind is None:  # a socket
            continue
        link, size = b"", 0
        if kind == b"0":
            size = facts.st_size
            if facts.st_nlink > 1:
                first = links.setdefault((facts.st_dev, facts.st_ino), name)
                if first is not name:
                    kind, link, size = b"1", os.fsencode(first), 0
        elif kind == b"2" and path is not None:
            link = os.fsencode(os.readlink(path))
        target.write(
            _header(
                os.fsencode(name) + (b"/" if kind == b"5" else b""),
                kind,
                mode=stat.S_IMODE(mode),
                owner=(0, 0) if plain else (facts.st_uid, facts.st_gid),
                size=size,
                time=max(0, min(int(facts.st_mtime), latest)),
                link=link,
                device=facts.st_rdev if kind in (b"3", b"4") else 0,
                attributes=_attributes(path) if attributes and path and kind != b"1" else (),
            )
        )
        if size and path is not None:
            _copy(target, path, size)


_KINDS = {
    stat.S_IFREG: b"0", stat.S_IFLNK: b"2", stat.S_IFCHR: b"3", stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5", stat.S_IFIFO: b"6",
}  # fmt: skip
"""The type flags of ustar."""


def _copy(target: Sink, path: str, size: int) -> None:
    """Copy a file's bytes, and fill its last block; it must have the size it had when listed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    left = size
    try:
        while left:
            data = os.read(descriptor, min(_PIECE, left))
            if not data:
                raise OSError(f"{path} became shorter while it was read")
            target.write(data)
            left -= len(data)
    finally:
        os.close(descriptor)
    if size % _BLOCK:
        target.write(bytes(-size % _BLOCK))


def _attributes(path: str) -> Sequence[tuple[bytes, bytes]]:
    """Extended attributes that belong to the file, not to the store's overlay or the host."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return ()
    if not names:
        return ()
    return [
        (os.fsencode(name), os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(names)
        if not name.startswith(_PRIVATE_ATTRIBUTES)
    ]


def _header(
    name: bytes,
    kind: bytes,
    *,
    mode: int = 0,
    owner: tuple[int, int] = (0, 0),
    size: int = 0,
    time: int = 0,
    link: bytes = b"",
    device: int = 0,
    attributes: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """An entry's block, and before it a pax record of what does not fit in."""
    records = [(_ATTRIBUTE + key, value) for key, value in attributes]
    ustar = _split(name)
    if ustar is None:
        records.append((b"path", name))
        ustar = (b"", name[:100])
    if len(link) > 100 or not link.isascii():
        records.append((b"linkpath", link))
    numbers = ((b"uid", owner[0], _BIGGEST_ID), (b"gid", owner[1], _BIGGEST_ID))
    for key, number, biggest in (*numbers, (b"size", size, _BIGGEST_SIZE)):
        if number > biggest:
            records.append((key, b"%d" % number))
    block = _block(
        ustar,
        kind,
        mode,
        (owner[0] if owner[0] <= _BIGGEST_ID else 0, owner[1] if owner[1] <= _BIGGEST_ID else 0),
        size if size <= _BIGGEST_SIZE else 0,
        time,
        link[:100],
        device,
    )
    return _pax(records) + block if records else block


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """A name as ustar's two fields (155 and 100 bytes), if it has room for it."""
    if not name.isascii():
        return None
    if len(name) <= 100:
        return b"", name
    slash = name.rfind(b"/", 0, 156)
    rest = len(name) - slash - 1
    return (name[:slash], name[slash + 1 :]) if slash > 0 and 0 < rest <= 100 else None


def _pax(records: Sequence[tuple[bytes, bytes]]) -> bytes:
    """An extended header: its own block and the records ``LENGTH KEY=VALUE``."""
    names = [value for key, value in records if key in (b"path", b"linkpath")]
    texts = [b"21 hdrcharset=BINARY\n"] if any(map(_is_raw, names)) else []
    for key, value in sorted(records):
        bare = len(key) + len(value) + 3
        length = bare + len(str(bare))
        length = bare + len(str(length))  # its own digits count
        texts.append(b"%d %s=%s\n" % (length, key, value))
    body = b"".join(texts)
    block = _block((b"", b"././@PaxHeader"), b"x", 0o644, (0, 0), len(body), 0, b"", 0)
    return block + body + bytes(-len(body) % _BLOCK)


def _is_raw(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def _block(
    name: tuple[bytes, bytes],
    kind: bytes,
    mode: int,
    owner: tuple[int, int],
    size: int,
    time: int,
    link: bytes,
    device: int,
) -> bytes:
    """A ustar header, its checksum filled in."""
    prefix, rest = name
    block = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0        %s%sustar\x0000%s%07o\0%07o\0%s" % (
        rest.ljust(100, b"\0"),
        mode,
        owner[0],
        owner[1],
        size,
        time,
        kind,
        link.ljust(100, b"\0"),
        bytes(64),
        os.major(device),
        os.minor(device),
        prefix.ljust(167, b"\0"),
    )
    return b"%s%06o\0 %s" % (block[:148], sum(block), block[156:])


def pattern(text: str) -> Callable[[str], object] | None:
    """What leaves out the names that a regular expression matches wholly; nothing when empty."""
    return re.compile(text).fullmatch if text else None
