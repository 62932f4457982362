"""The marks of closed folders in a layer's tree: listed on one machine, set on another.

overlayfs keeps them in attributes that only root has, or that a user namespace may write
(Documentation/filesystems/overlayfs.rst), so a layer that moves is marked anew. The standard
library alone is used: `lapstrake.host.owned.run_module` starts this where a rootless store's files
can be read.
"""

# ruff: noqa: PTH114, PTH118
# os.path is quick, and a tree has many files.
from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from lapstrake.host.layer_tar import is_opaque


def opaque_folders(tree: str) -> list[str]:
    """The closed folders of a tree, relative to it, sorted."""
    found = []
    for folder, names, _ in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and is_opaque(path):
                found.append(os.path.relpath(path, tree))
    return sorted(found)


def close_folders(tree: str, folders: list[str], attribute: str) -> None:
    """Mark folders of a tree as closed; whoever lists them may be hostile."""
    root = os.path.realpath(tree)
    for folder in folders:
        path = os.path.realpath(os.path.join(root, folder))
        if os.path.commonpath((root, path)) != root:
            sys.exit(f"{folder[:200]!r} is no folder of the layer")
        os.setxattr(path, attribute, b"y", follow_symlinks=False)


def main(tree: str, file: str, attribute: str = "") -> None:
    """List a tree's closed folders in a file; with an attribute, close those that it lists."""
    if attribute:
        close_folders(tree, json.loads(Path(file).read_bytes()), attribute)
    else:
        Path(file).write_text(json.dumps(opaque_folders(tree)))


if __name__ == "__main__":
    main(*sys.argv[1:])
