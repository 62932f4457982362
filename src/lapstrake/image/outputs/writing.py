"""Files that people get: whole or not at all, and errors that say what is the matter."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from lapstrake.errors import ImageError
from lapstrake.host.files import open_atomic
from lapstrake.image.outputs.target import Target

_REMEDIES = {
    errno.ENOSPC: "Free some space, or write it elsewhere.",
    errno.EDQUOT: "Your disk quota is used up: free some space, or write it elsewhere.",
    errno.EROFS: "The disk is mounted read-only: write it elsewhere.",
    errno.EFBIG: "The file system takes no file of this size: write it elsewhere.",
}


@contextmanager
def new_file(target: Target) -> Iterator[BinaryIO]:
    """The file of a target; it appears when the block ends well, in place of an older one.

    Raises:
        ImageError: it cannot be written; the old file is what it was.
    """
    with judged(target), open_atomic(target.path.absolute()) as file:
        yield file


@contextmanager
def judged(target: Target) -> Iterator[None]:
    """Say what the disk refused.

    Raises:
        ImageError: in place of an ``OSError``.
    """
    try:
        yield
    except OSError as failed:
        raise ImageError(
            f"{target.text} cannot be written: {failed.strerror or failed}",
            details=str(failed.filename or ""),
            resolution=_REMEDIES.get(failed.errno or 0, ""),
        ) from failed
