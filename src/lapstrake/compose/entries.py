"""What lies in a tree: its paths with kinds, modes and owners, as a root's own users see them."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from lapstrake.compose.doubt import Entry, Kind
from lapstrake.host import idmap
from lapstrake.host.layer_tar import is_opaque

Packed = dict[str, str]
"""A tree as JSON: paths, divided by NUL, by what lies there (``d 755 0 0``)."""

_OVERFLOW = 65534


def walk(tree: Path) -> dict[str, Entry]:
    """List a tree, its top as ``/``; no link is followed.

    A folder that we may not read (another id's, in a rootless store) is listed as something else.
    """
    ids = _Ids()
    found = {"/": ids.entry(tree.lstat())}
    pending = [("", os.fspath(tree))]
    while pending:
        path, folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for each in entries:
                    facts = each.stat(follow_symlinks=False)
                    name = f"{path}/{each.name}"
                    found[name] = ids.entry(facts)
                    if stat.S_ISDIR(facts.st_mode):
                        pending.append((name, each.path))
        except PermissionError:
            found[path] = Entry(kind=Kind.OTHER)
    return found


def walk_stack(trees: Iterable[Path]) -> dict[str, Entry]:
    """List what a stack of layers shows, lowest first; what upper layers hide is left out."""
    found: dict[str, Entry] = {}
    for tree in trees:
        upper = walk(tree)
        if found:
            hidden = {path for path, entry in upper.items() if _hides(tree, path, entry)}
            found = {path: entry for path, entry in found.items() if not _below(path, hidden)}
        found |= upper
    return {path: entry for path, entry in found.items() if not _is_whiteout(entry)}


def pack(entries: Mapping[str, Entry]) -> Packed:
    """Write entries as JSON that is small and quick to read."""
    groups: dict[str, list[str]] = {}
    for path, entry in sorted(entries.items()):
        facts = f"{entry.kind} {entry.mode:o} {entry.uid} {entry.gid}"
        groups.setdefault(facts, []).append(path)
    return {facts: "\0".join(paths) for facts, paths in groups.items()}


def unpack(packed: Packed) -> dict[str, Entry]:
    """Read what `pack` wrote.

    Raises:
        ValueError: it is something else.
    """
    entries: dict[str, Entry] = {}
    for facts, paths in packed.items():
        entries |= dict.fromkeys(paths.split("\0"), _read(facts))
    return entries


@functools.cache
def _read(facts: str) -> Entry:
    kind, mode, uid, gid = facts.split(" ")
    return Entry(kind=Kind(kind), mode=int(mode, 8), uid=int(uid), gid=int(gid))


class _Ids:
    """The host's ids as a root has them."""

    def __init__(self) -> None:
        ids = idmap.current_map()
        self._uids, self._gids = ids.uids, ids.gids
        self._known: dict[tuple[int, int, int], Entry] = {}

    def entry(self, facts: os.stat_result) -> Entry:
        """A file's kind, mode and owner; equal ones are one object."""
        key = (facts.st_mode, facts.st_uid, facts.st_gid)
        entry = self._known.get(key)
        if entry is None or entry.kind is Kind.OTHER:
            kind = _kind(facts)
            entry = Entry(
                kind=kind,
                mode=0 if kind is Kind.LINK else stat.S_IMODE(facts.st_mode),
                uid=_inside(self._uids, facts.st_uid),
                gid=_inside(self._gids, facts.st_gid),
            )
            self._known[key] = entry
        return entry


def _inside(rows: Iterable[tuple[int, int, int]], number: int) -> int:
    for inside, outside, count in rows:
        if outside <= number < outside + count:
            return inside + number - outside
    return _OVERFLOW


def _kind(facts: os.stat_result) -> Kind:
    if stat.S_ISDIR(facts.st_mode):
        return Kind.FOLDER
    if stat.S_ISREG(facts.st_mode):
        return Kind.FILE
    return Kind.LINK if stat.S_ISLNK(facts.st_mode) else Kind.OTHER


def _hides(tree: Path, path: str, entry: Entry) -> bool:
    """Whether nothing of lower layers shows below a path: it is no folder, or an opaque one."""
    if entry.kind is not Kind.FOLDER:
        return True
    if path == "/":
        return False
    return is_opaque(os.fspath(tree) + path)


def _below(path: str, folders: set[str]) -> bool:
    while path:
        path = path.rpartition("/")[0]
        if path in folders:
            return True
    return False


def _is_whiteout(entry: Entry) -> bool:
    """A character device of mode 0 stands for what a layer removed; a package has no such thing."""
    return entry.kind is Kind.OTHER and entry.mode == 0
