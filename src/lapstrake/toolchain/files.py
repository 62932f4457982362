"""Generated files: in a folder that is named by what is in them, so none ever changes.

Each folder's time is when it was last asked for; one that nobody asked for in a long time goes when
another one is made.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePath

from lapstrake.errors import ToolchainError

_NAME = re.compile(r"[0-9a-f]{16}\Z")
_LONG = 90 * 86400.0


def folder_of(texts: Mapping[str, str], root: PurePath) -> PurePath:
    """The folder for files of these texts, below `root`."""
    digest = sha256()
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return root / digest.hexdigest()[:16]


def write_files(texts: Mapping[str, str]) -> None:
    """Write what is not there yet.

    Args:
        texts: by whole path, as in `CrossEnvironment.files`.

    Raises:
        ToolchainError: a folder cannot be written.
    """
    for name, text in texts.items():
        path = Path(name)
        with suppress(OSError):  # not there yet, or somebody else's
            os.utime(path.parent)
        if not path.is_file():
            _write(path, text)


def _write(path: Path, text: str) -> None:
    from lapstrake.host.files import write_atomic  # most runs write nothing

    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_old(path.parent.parent)
        write_atomic(path, text.encode())
    except OSError as refused:
        raise ToolchainError(
            f"{path}: {refused.strerror}",
            resolution="Set work_dir to a folder that you may write.",
        ) from refused


def _remove_old(root: Path) -> None:
    """Remove what was made for artifacts and targets that are not used any more."""
    from lapstrake.host.files import remove_tree

    before = time.time() - _LONG
    for folder in root.iterdir():
        with suppress(OSError):  # somebody else removes it, too
            if _NAME.match(folder.name) and folder.lstat().st_mtime < before:
                remove_tree(folder)
