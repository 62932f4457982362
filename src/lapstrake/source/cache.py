"""The download cache: bytes found by their SHA-256, and a small index of other names for them.

::

    blobs/sha256/ab/abcd...    the bytes, read-only, never changed
    index/12/1234...           JSON: what a URL, another checksum or a revision stands for
    partial/1234....part       a download that was interrupted, with .json beside it: its validators
    mirrors/git/1234...        version control's own stores
    locks/                     one lock per URL, so that two processes fetch it once

Everything appears by rename, so killing any process leaves nothing half there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import FetchError, StoreError
from lapstrake.formats.checksum import hash_stream
from lapstrake.host.files import (
    remove_leftovers,
    remove_tree,
    sync_file,
    sync_folder,
    temporary_name,
    write_atomic,
)
from lapstrake.host.locks import locked
from lapstrake.names import Digest

_OUT_OF_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})


class BusyError(FetchError):
    """Somebody else is fetching the same thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file of the cache.

    Attributes:
        path: the file.
        digest: its SHA-256.
        size: its bytes.
    """

    path: Path
    digest: Digest
    size: int


class DownloadCache:
    """Bytes by SHA-256, for any number of processes at once.

    Args:
        root: the folder; made when it is first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, digest: Digest) -> Blob | None:
        """Find bytes by their checksum, with any algorithm they were once verified with.

        The bytes are hashed again when the file was touched since, and removed if they changed.
        """
        if digest.algorithm == "sha256":
            return self._checked(digest.hex)
        known = self.note(f"digest {digest}")
        return self._checked(known.get("sha256", ""))

    def find_named(self, key: str) -> Blob | None:
        """Find bytes by a name that `add` was given: a URL, a revision."""
        return self._checked(self.note(key).get("sha256", ""))

    def note(self, key: str) -> dict[str, str]:
        """What was noted for a key; empty when nothing was, or it cannot be read."""
        try:
            found = json.loads(self._index(key).read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict) or found.get("key") != key:
            return {}
        return {str(name): str(value) for name, value in found.items()}

    def take_note(self, key: str, **facts: str) -> None:
        """Note facts for a key, in place of earlier ones."""
        text = json.dumps({"key": key, **facts}, sort_keys=True)
        path = self._index(key)
        with self.writing(f"noting {key}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text.encode(), durable=False)

    def add(self, file: Path, digest: Digest, *also: Digest, keys: tuple[str, ...] = ()) -> Blob:
        """Move a file into the cache, under its SHA-256.

        Args:
            file: on the cache's file system (see `partial` and `scratch`); gone afterwards.
            digest: the SHA-256 of the file, as its writer computed it.
            also: other checksums of the same bytes, verified.
            keys: other names to find it by.
        """
        path = self._blob(digest.hex)
        with self.writing(f"keeping {digest}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            file.chmod(0o444)
            sync_file(file)
            file.replace(path)
            sync_folder(path.parent)
        size = path.stat().st_size
        self._seal(path, digest.hex)
        for key in (*(f"digest {other}" for other in also if other != digest), *keys):
            self.take_note(key, sha256=digest.hex)
        return Blob(path=path, digest=digest, size=size)

    def partial(self, url: str, digest: Digest | None = None) -> Path:
        """The file that a download grows in; it survives interruptions.

        Whoever writes it holds the `lock` of the digest, or of the URL when there is no digest.
        """
        return self._made("partial") / f"{_hash(f'{url} {digest}')}.part"

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new folder on the cache's file system, removed when the block ends."""
        folder = temporary_name(self._made("scratch") / "work")
        with self._scratch_lock(exclusive=False):
            with self.writing("making a folder"):
                folder.mkdir(mode=0o700)
            try:
                yield folder
            finally:
                remove_tree(folder)

    def clean(self) -> None:
        """Remove what killed processes left, unless somebody is at work right now."""
        scratch = self.root / "scratch"
        if scratch.is_dir() and any(scratch.iterdir()):
            with suppress(BusyError), self._scratch_lock(exclusive=True, timeout=0.0):
                remove_leftovers(scratch)

    def mirror(self, kind: str, url: str) -> Path:
        """The path for a version control's own store of a repository."""
        return self._made("mirrors", kind) / _hash(url)

    def lock(self, what: str, *, timeout: float) -> AbstractContextManager[None]:
        """Be the only one, of all processes and threads, that fetches something.

        Raises:
            BusyError: somebody else did not end within `timeout` seconds.
        """
        path = self._made("locks") / _hash(what)
        return locked(path, what=f"the download of {what}", timeout=timeout, error=BusyError)

    @contextmanager
    def writing(self, doing: str) -> Iterator[None]:
        """Turn what the disk says into an error for people."""
        try:
            yield
        except OSError as refused:
            if refused.errno in _OUT_OF_DISK:
                raise StoreError(
                    f"the disk of the download cache is full: {doing}",
                    details=f"cache: {self.root}",
                    resolution="Free some space, or set LAPSTRAKE_DL_DIR to a larger disk.",
                ) from refused
            raise StoreError(
                f"the download cache cannot be written: {refused.strerror}",
                details=f"{refused.filename or self.root}",
                resolution="Set LAPSTRAKE_DL_DIR to a folder that you may write to.",
            ) from refused

    def _scratch_lock(
        self, *, exclusive: bool, timeout: float | None = None
    ) -> AbstractContextManager[None]:
        path = self._made("locks") / "scratch"
        what = "the download cache's scratch folder"
        return locked(path, what=what, exclusive=exclusive, timeout=timeout, error=BusyError)

    def _made(self, *names: str) -> Path:
        folder = self.root.joinpath(*names)
        with self.writing("making a folder"):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _blob(self, digits: str) -> Path:
        return self.root / "blobs" / "sha256" / digits[:2] / digits

    def _index(self, key: str) -> Path:
        digits = _hash(key)
        return self.root / "index" / digits[:2] / digits

    def _checked(self, digits: str) -> Blob | None:
        if not digits:
            return None
        path = self._blob(digits)
        try:
            status = path.stat()
        except OSError:
            return None
        if self.note(f"seal {digits}").get("seal") != _seal_of(status):
            with path.open("rb") as stream:
                actual = hash_stream(stream, ["sha256"]).digest("sha256").hex
            if actual != digits:
                with suppress(OSError):
                    path.unlink()
                return None
            with suppress(StoreError):  # a cache that may only be read is fine
                self._seal(path, digits)
        return Blob(path=path, digest=Digest("sha256", digits), size=status.st_size)

    def _seal(self, path: Path, digits: str) -> None:
        """Remember how a verified file looks from outside: if that changes, verify it again."""
        self.take_note(f"seal {digits}", seal=_seal_of(path.stat()))


def _seal_of(status: os.stat_result) -> str:
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
