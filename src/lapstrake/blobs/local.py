"""Blobs and documents as files of one folder.

Besides what `lapstrake.blobs.addresses` says there is ``scratch/``, for what is not finished.
Everything appears by one rename(2) out of it, flushed before and after.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lapstrake.blobs import addresses
from lapstrake.errors import StoreError
from lapstrake.host import files
from lapstrake.names import Digest

_PIECE = 1 << 20


class LocalBlobs:
    """A `lapstrake.blobs.base.BlobStore` in a folder.

    Args:
        folder: made when missing, for its owner alone.

    Raises:
        StoreError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._scratch = folder / "scratch"
        with _judging(f"opening the store {folder}"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in (addresses.BLOBS, addresses.DOCUMENTS, "scratch"):
                (folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def scratch(self) -> Path:
        """A folder on the same file system, for files that are to become blobs by a rename."""
        return self._scratch

    def find(self, digest: Digest) -> int | None:
        """Look a blob up: its size in bytes, ``None`` when it is not there."""
        try:  # asked for each layer of each pull: without making a path of it
            return os.stat(f"{self.folder}/{addresses.blob_address(digest)}").st_size  # noqa: PTH116
        except FileNotFoundError:
            return None

    def known(self, digest: Digest) -> bool:
        """Whether a blob is there."""
        return self.find(digest) is not None

    def added(self, digest: Digest) -> float | None:
        """When it was last added, in seconds since 1970; ``None`` when it is not there."""
        try:
            return self._blob(digest).stat().st_mtime
        except FileNotFoundError:
            return None

    def path(self, digest: Digest) -> Path | None:
        """The blob's file; ``None`` when it is not there."""
        path = self._blob(digest)
        return path if path.is_file() else None

    def url(self, digest: Digest, *, seconds: float) -> str | None:  # noqa: ARG002 - no server here
        """Files have no address that others could use."""
        return None

    def read(self, digest: Digest, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to (not including) `end`.

        Raises:
            StoreError: it is not there, or cannot be read.
        """
        with _judging(f"reading the blob {digest}"):
            try:
                file = self._blob(digest).open("rb")
            except FileNotFoundError:
                raise StoreError(f"the blob {digest} is not in the store") from None
            with file:
                file.seek(start)
                left = None if end is None else max(end - start, 0)
                while left != 0:
                    piece = file.read(_PIECE if left is None else min(_PIECE, left))
                    if not piece:
                        return
                    left = None if left is None else left - len(piece)
                    yield piece

    def add(self, digest: Digest, source: Path | bytes) -> None:
        """Store a blob, flushed to disk; a file that lies in `scratch` is gone afterwards.

        Raises:
            StoreError: the disk is full or read-only.
        """
        target = self._blob(digest)
        mine = isinstance(source, Path) and source.parent == self._scratch
        with _judging(f"storing the blob {digest}"):
            if target.exists():
                os.utime(target)  # wanted again: too young for `remove` by age
                if mine and isinstance(source, Path):
                    source.unlink(missing_ok=True)
                return
            if mine and isinstance(source, Path):
                source.chmod(0o644)
                os.utime(source)
                self._publish(source, target)
                return
            with self._temporary() as path:
                if isinstance(source, bytes):
                    path.write_bytes(source)
                else:
                    files.copy_atomic(source, path, durable=False)
                self._publish(path, target)

    def remove(self, digest: Digest) -> bool:
        """Remove a blob; says whether it was there."""
        return self._remove(self._blob(digest))

    def digests(self) -> Iterator[Digest]:
        """All blobs, in no order."""
        for algorithm in addresses.ALGORITHMS:
            for path in (self.folder / addresses.BLOBS / algorithm).glob("*/*"):
                digest = addresses.parse_digest(f"{algorithm}:{path.name}")
                if digest is not None:
                    yield digest

    def document(self, name: str) -> bytes | None:
        """A document's content; ``None`` when there is none of this name."""
        try:
            return self._document(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as failed:
            raise files.disk_error(failed, doing=f"reading the document {name}") from failed

    def write(self, name: str, data: bytes) -> None:
        """Store a document in place of the one with this name.

        Raises:
            StoreError: the name is wrong, or the disk is full or read-only.
        """
        target = self._document(name)
        with _judging(f"storing the document {name}"), self._temporary() as path:
            path.write_bytes(data)
            self._publish(path, target)

    def delete(self, name: str) -> bool:
        """Remove a document; says whether it was there."""
        return self._remove(self._document(name))

    def names(self, prefix: str) -> Iterator[str]:
        """The names of documents that start with a prefix (``tags/``), sorted."""
        folder = self.folder / addresses.DOCUMENTS / prefix.rpartition("/")[0]
        skip = len(str(self.folder)) + 1
        found = (addresses.document_name(path[skip:]) for path in _walk(str(folder)))
        yield from sorted(name for name in found if name is not None and name.startswith(prefix))

    def _blob(self, digest: Digest) -> Path:
        return self.folder / addresses.blob_address(digest)

    def _document(self, name: str) -> Path:
        return self.folder / addresses.document_address(name)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A name in `scratch`; nothing is left there unless we are killed."""
        path = self._scratch / secrets.token_hex(12)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _publish(self, file: Path, target: Path) -> None:
        """Move a file to where it belongs; what it lies in is made at the first use."""
        files.sync_file(file)
        try:
            file.replace(target)
        except FileNotFoundError:
            _make_folders(target.parent)
            file.replace(target)
        files.sync_folder(target.parent)

    def _remove(self, path: Path) -> bool:
        with _judging(f"removing {path.name}"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            files.sync_folder(path.parent)
            return True


def _make_folders(folder: Path) -> None:
    """Like ``mkdir -p``, and each new folder's name is on the disk."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        files.sync_folder(each.parent)


def _walk(folder: str) -> Iterator[str]:
    """The files below a folder."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            else:
                yield entry.path


@contextmanager
def _judging(doing: str) -> Iterator[None]:
    """Say what the disk refused."""
    try:
        yield
    except OSError as failed:
        raise files.disk_error(failed, doing=doing) from failed
