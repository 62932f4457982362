"""Blobs on their way in: one file for each, in the store's scratch folder.

An upload survives the server: it is nothing but its file, whose length is how far it got and whose
name ties it to its repository. Whoever works on it has locked it, in whatever process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from lapstrake.host.files import disk_error
from lapstrake.names import Digest
from lapstrake.registry.problems import Problem

_PREFIX = "upload-"


@dataclass(slots=True)
class Upload:
    """An upload that this process works on.

    Attributes:
        path: its file.
        file: the same, open.
        size: bytes so far.
        sums: their SHA-256, as far as they came through this process; ``None`` otherwise.
    """

    path: Path
    file: FileIO
    size: int
    sums: hashlib._Hash | None

    def append(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            StoreError: the disk is full; the upload is as long as before.
        """
        try:
            view = memoryview(data)
            while view:
                view = view[self.file.write(view) :]
        except OSError as failed:
            self.cut(self.size)
            raise disk_error(failed, doing="receiving a blob") from failed
        self.size += len(data)
        if self.sums is not None:
            self.sums.update(data)

    def cut(self, size: int) -> None:
        """Forget everything after so many bytes."""
        if size != self.size:
            self.sums = None
        os.ftruncate(self.file.fileno(), size)
        self.file.seek(size)
        self.size = size

    def digest(self, algorithm: str) -> Digest:
        """The digest of what there is."""
        if algorithm == "sha256" and self.sums is not None:
            return Digest(algorithm, self.sums.hexdigest())
        with self.path.open("rb") as file:
            return Digest(algorithm, hashlib.file_digest(file, algorithm).hexdigest())


@dataclass(slots=True)
class Uploads:
    """All uploads in a scratch folder.

    Args:
        folder: the store's scratch folder.
    """

    folder: Path
    _sums: dict[str, tuple[int, hashlib._Hash]] = field(default_factory=dict)

    def start(self, name: str) -> str:
        """Begin an upload to a repository.

        Returns:
            its id, letters and digits.
        """
        upload = secrets.token_hex(16)
        try:
            self._path(name, upload).touch(mode=0o600, exist_ok=False)
        except OSError as failed:
            raise disk_error(failed, doing="beginning an upload") from failed
        self._sums[upload] = (0, hashlib.sha256())
        return upload

    def size(self, name: str, upload: str) -> int:
        """How many bytes an upload has.

        Raises:
            Problem: ``BLOB_UPLOAD_UNKNOWN``.
        """
        try:
            return self._path(name, upload).stat().st_size
        except FileNotFoundError:
            raise _unknown(upload) from None

    def sizes(self, name: str) -> list[int]:
        """The bytes of each upload to a repository that is not finished."""
        found = []
        for path in self.folder.glob(f"{_PREFIX}*-{_owner(name)}"):
            with suppress(FileNotFoundError):  # finished meanwhile
                found.append(path.stat().st_size)
        return found

    @contextmanager
    def open(self, name: str, upload: str) -> Iterator[Upload]:
        """Work on an upload; nobody else does meanwhile.

        Raises:
            Problem: there is no such upload, or somebody works on it.
        """
        path = self._path(name, upload)
        try:
            file = FileIO(path, "r+b")
        except FileNotFoundError:
            raise _unknown(upload) from None
        with file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = "another request works on this upload"
                raise Problem(409, "BLOB_UPLOAD_INVALID", message) from None
            if not _names(path, file.fileno()):  # finished between our open and our lock
                raise _unknown(upload)
            size = os.fstat(file.fileno()).st_size
            file.seek(size)
            known, sums = self._sums.pop(upload, (-1, None))
            opened = Upload(path, file, size, sums if known == size else None)
            yield opened
            if opened.sums is not None and _names(path, file.fileno()):
                self._sums[upload] = (opened.size, opened.sums)

    def cancel(self, name: str, upload: str) -> None:
        """Remove an upload.

        Raises:
            Problem: there is no such upload.
        """
        self._sums.pop(upload, None)
        try:
            self._path(name, upload).unlink()
        except FileNotFoundError:
            raise _unknown(upload) from None

    def sweep(self, *, older: float) -> int:
        """Remove uploads that nobody has worked on for so many seconds; says how many."""
        self._sums.clear()  # of those that nobody ended; the others are summed again
        latest, removed = time.time() - older, 0
        for path in self.folder.glob(f"{_PREFIX}*"):
            try:
                if path.stat().st_mtime <= latest:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

    def _path(self, name: str, upload: str) -> Path:
        if not (upload.isascii() and upload.isalnum()) or len(upload) > 64:
            raise _unknown(upload)
        return self.folder / f"{_PREFIX}{upload}-{_owner(name)}"


def _owner(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _names(path: Path, descriptor: int) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _unknown(upload: str) -> Problem:
    return Problem(404, "BLOB_UPLOAD_UNKNOWN", f"there is no upload {upload[:64]!r} here")
