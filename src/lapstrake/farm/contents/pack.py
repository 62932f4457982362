"""A bundle's or project's folder as one file whose digest is the same wherever it is packed."""

from __future__ import annotations

import stat
from pathlib import Path

from lapstrake.build.committed import committed
from lapstrake.errors import BundleError, FetchError
from lapstrake.source.tree_tar import write_tree_tar

LEFT_OUT = frozenset({".git", ".hg", ".svn", ".bzr", "_darcs"})
"""What version control keeps at a folder's top: large, different everywhere, part of no build."""


def pack_bundle(folder: Path, target: Path) -> str:
    """Write a folder as a plain tar: sorted, owned by root, modes 0644 or 0755, one time.

    That time is when the folder was last committed, else its newest file's: what builds take for
    ``SOURCE_DATE_EPOCH``. So it is part of what is built, and of the digest.

    Args:
        folder: the bundle's, or the project's.
        target: the archive; replaced when it is there.

    Returns:
        its digest, ``sha256:…``.

    Raises:
        BundleError: there is something else in it than files, folders and links, or it cannot be
            read.
    """
    when = committed(folder)
    try:
        time = newest(folder) if when is None else when
        return str(write_tree_tar(folder, target, mtime=time, without=LEFT_OUT))
    except FetchError as odd:
        raise BundleError(
            f"{folder} cannot be packed: {odd.brief}",
            resolution="Leave nothing but files, folders and links in it.",
        ) from odd
    except OSError as refused:
        raise BundleError(
            f"{folder} cannot be packed: {refused.filename}: {refused.strerror}"
        ) from refused


def newest(folder: Path) -> int:
    """When a folder's newest file was changed, seconds since 1970; 0 when it has none."""
    facts = (
        entry.lstat()
        for top in folder.iterdir()
        if top.name not in LEFT_OUT
        for entry in (top, *top.rglob("*"))
    )
    return int(max((each.st_mtime for each in facts if stat.S_ISREG(each.st_mode)), default=0))
