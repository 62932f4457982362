"""One folder of a layer and what was written over it, as one new tree; a program of its own.

`lapstrake.host.owned.run_module` starts it as the owner of the trees::

    python -m lapstrake.host.fold PATH LOWER CHANGES TARGET

`PATH` is the folder (``nerves/build``), `LOWER` the layer's tree (or empty), `CHANGES` what a
workspace became, `TARGET` the new tree, which holds nothing but `PATH`. The changes are moved; what
they left as it was gets a second name (a hard link), so that nothing is copied.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from lapstrake.host.layer_tar import is_opaque, is_whiteout

_PRIVATE = ("trusted.overlay.", "user.overlay.")


def fold(path: str, lower: str, changes: str, target: str) -> None:
    """Make the new tree.

    Args:
        path: the folder, relative to the trees' tops.
        lower: the layer's tree; empty for none.
        changes: the workspace's; what is below `path` is moved out of it.
        target: the new tree's top, which does not exist.

    Raises:
        NotADirectoryError: something else stands where the folder, or one above it, was.
    """
    for part in path.split("/"):
        lower = f"{lower}/{part}" if lower else ""
        changes = f"{changes}/{part}"
        if not stat.S_ISDIR(os.lstat(changes).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), f"/{path}")
        if is_opaque(changes):
            lower = ""
    if lower:
        fill_from_below(lower, changes)
    place = Path(target, path)
    place.parent.mkdir(parents=True)
    Path(changes).rename(place)


def fill_from_below(lower: str, upper: str) -> None:
    """Complete a folder of changes with what it leaves of the one below, and drop its marks."""
    facts = os.lstat(upper)
    with os.scandir(lower) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        below, above = f"{lower}/{name}", f"{upper}/{name}"
        try:
            kind = os.lstat(above)
        except FileNotFoundError:
            _link(below, above)
            continue
        if is_whiteout(kind):
            Path(above).unlink()
        elif stat.S_ISDIR(kind.st_mode):
            if stat.S_ISDIR(os.lstat(below).st_mode) and not is_opaque(above):
                fill_from_below(below, above)
            else:
                _drop_marks(above)
    _drop_marks(upper)
    os.utime(upper, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _link(source: str, target: str) -> None:
    """A second name for all files of a tree; folders, which can have one only, are made again."""
    facts = os.lstat(source)
    if not stat.S_ISDIR(facts.st_mode):
        os.link(source, target, follow_symlinks=False)
        return
    Path(target).mkdir(0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            _link(entry.path, f"{target}/{entry.name}")
    os.chown(target, facts.st_uid, facts.st_gid)
    Path(target).chmod(stat.S_IMODE(facts.st_mode))
    for name in os.listxattr(source):
        if not name.startswith(_PRIVATE):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _drop_marks(folder: str) -> None:
    """Take the overlay's own attributes away: there is nothing below any more."""
    for name in os.listxattr(folder):
        if name.startswith(_PRIVATE):
            os.removexattr(folder, name)


if __name__ == "__main__":
    fold(*sys.argv[1:])
