"""Generated files: in a folder that is named by what is in them, so none ever changes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path, PurePath

from lapstrake.errors import ToolchainError


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
        if path.is_file():
            continue
        from lapstrake.host.files import write_atomic  # most runs write nothing

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text.encode())
        except OSError as refused:
            raise ToolchainError(
                f"{path}: {refused.strerror}",
                resolution="Set work_dir to a folder that you may write.",
            ) from refused
