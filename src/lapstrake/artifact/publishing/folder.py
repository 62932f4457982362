"""Publishing into a folder: the archive, and beside it ``.sha256`` as sha256sum(1) writes it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lapstrake.artifact.base import FolderSite
from lapstrake.artifact.publishing.base import Parcel
from lapstrake.host.files import (
    copy_atomic,
    disk_error,
    open_regular,
    remove_leftovers,
    write_atomic,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderShelf:
    """See `base.Shelf`; nobody else writes to the folder meanwhile."""

    folder: Path
    parcel: Parcel

    @property
    def where(self) -> str:
        """See `Shelf`."""
        return str(self._file)

    @property
    def _file(self) -> Path:
        return self.folder / self.parcel.identity.file_name

    def find(self) -> str | None:
        """See `Shelf`."""
        try:
            with open_regular(self._file) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def put(self) -> None:
        """See `Shelf`; an old digest goes first, so that there is never a wrong one."""
        digest = self._file.with_name(f"{self._file.name}.sha256")
        digest.unlink(missing_ok=True)
        copy_atomic(self.parcel.archive, self._file)
        write_atomic(digest, digest_line(self.parcel))


def digest_line(parcel: Parcel) -> bytes:
    """What ``sha256sum -c`` reads."""
    return f"{parcel.sha256}  {parcel.identity.file_name}\n".encode()


@contextmanager
def folder_shelf(site: FolderSite, parcel: Parcel) -> Iterator[FolderShelf]:
    """Open a folder, which is made when it is missing.

    Raises:
        StoreError: the disk refused.
    """
    folder = site.path.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            remove_leftovers(folder)
            yield FolderShelf(folder=folder, parcel=parcel)
        finally:
            os.close(descriptor)
    except OSError as refused:
        raise disk_error(refused, doing=f"publishing into {folder}") from refused
