"""A layer's tree as one file that becomes the same layer on another machine.

It is a tar with owners, modes, times, hard links, extended attributes and overlayfs' marks of what
is gone (devices 0:0). Devices of a root's ``/dev`` do not move to a rootless store, which has none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from lapstrake.errors import StoreError
from lapstrake.host import owned
from lapstrake.host.files import temporary_name
from lapstrake.host.process import require_program, tail

_MARKS = "lapstrake.host.layer_marks"
_TAR = ("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls",
        "--xattrs-exclude=trusted.overlay.*", "--xattrs-exclude=user.overlay.*")  # fmt: skip
_CHANGED = 1
"""tar(1): some files changed while they were read. Files of layers get second names meanwhile, by
folding or backups: then their change time is another one, and nothing else."""
_CUT = (b": File shrank by ", b": File removed before we read it")
"""What tar says when it was more."""


def pack_layer(tree: Path, target: Path) -> tuple[str, ...]:
    """Write a tree to a file.

    Args:
        tree: the layer's tree; nobody changes it.
        target: the file, beside which there is room for a small one.

    Returns:
        the folders that are closed (opaque), relative to the tree.

    Raises:
        StoreError: the disk is full, or ``zstd`` is missing.
    """
    require_program("zstd", package="zstd", error=StoreError)
    listing = temporary_name(target)
    doing = f"packing the layer {tree.parent.name[:12]}"
    try:
        owned.run_module(_MARKS, tree, listing, doing=doing, error=StoreError)
        closed = json.loads(listing.read_bytes())
    finally:
        listing.unlink(missing_ok=True)
    told = owned.run_owned(
        [*_TAR, "--create", "--use-compress-program=zstd -3 -T0", f"--file={target}",
         f"--directory={tree}", "--sort=name", "--sparse", "."],
        doing=doing,
        error=StoreError,
        fine=(0, _CHANGED),
    )  # fmt: skip
    if any(words in told for words in _CUT):
        raise StoreError(f"{doing}: somebody changed it meanwhile", details=tail(told))
    return tuple(closed)


def unpack_layer(archive: Path, tree: Path, closed: Sequence[str]) -> None:
    """Make a layer's tree of what `pack_layer` wrote.

    Args:
        archive: the file, of a server that is trusted like its packages.
        tree: where; it does not exist yet.
        closed: the folders that are closed.

    Raises:
        StoreError: the file is damaged, the disk is full, or ``zstd`` is missing.
    """
    require_program("zstd", package="zstd", error=StoreError)
    rootless = os.geteuid() != 0
    tree.mkdir()
    owned.run_owned(
        [*_TAR, "--extract", "--use-compress-program=zstd", f"--file={archive}",
         f"--directory={tree}", "--same-owner", "--preserve-permissions",
         "--delay-directory-restore", *(["--exclude=./dev/*"] if rootless else [])],
        doing=f"unpacking a layer into {tree.parent.name}",
        error=StoreError,
    )  # fmt: skip
    if closed:
        listing = temporary_name(archive)
        attribute = "user.overlay.opaque" if rootless else "trusted.overlay.opaque"
        try:
            listing.write_text(json.dumps(list(closed)))
            owned.run_module(
                _MARKS, tree, listing, attribute, doing="closing folders", error=StoreError
            )
        finally:
            listing.unlink(missing_ok=True)
