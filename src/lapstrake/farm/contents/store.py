"""The content store of a server: a folder of blobs, and of uploads on their way in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lapstrake.blobs.addresses import parse_digest
from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.model import Config
from lapstrake.errors import StoreError
from lapstrake.farm.contents.unfinished import check_share, no_room, translated
from lapstrake.farm.problems import Invalid, TooLarge, Unknown, WrongState
from lapstrake.formats.amounts import size_text
from lapstrake.formats.checksum import hash_stream
from lapstrake.host.files import TEMPORARY, remove_tree
from lapstrake.host.supervise import free_bytes
from lapstrake.names import Digest
from lapstrake.registry.protocol.uploads import Upload, Uploads

UPLOAD_SECONDS = 24 * 3600.0
"""Uploads that nobody went on with for so long are removed."""


class ContentStore:
    """A `lapstrake.farm.contents.base.Contents` in a folder.

    What users upload is bounded, and refused before the disk is full. Workers' results are not
    bounded, and may use half of the room that is kept free: their work is done already.

    Args:
        folder: made when missing.
        upload_limit: bytes that one upload of a user may have.
        disk_low: bytes of the disk that uploads leave free.

    Raises:
        StoreError: the folder cannot be written.
    """

    def __init__(self, folder: Path, *, upload_limit: int, disk_low: int) -> None:
        self._blobs = LocalBlobs(folder)
        self._uploads = Uploads(self._blobs.scratch)
        self.upload_limit = upload_limit
        self._low = disk_low
        self.folder = folder
        self.make_room: Callable[[], None] = _nothing
        """Called when there is too little room, before an upload is refused; set by the server."""

    @property
    def scratch(self) -> Path:
        """A folder on the same disk; files in it become content by a rename."""
        return self._blobs.scratch

    def size(self, digest: str) -> int | None:
        """Bytes, ``None`` when it is not there."""
        found = parse_digest(digest)
        return self._blobs.find(found) if found else None

    def has(self, digest: str) -> bool:
        """Whether it is there; it then counts as added now, and stays for a while."""
        found = parse_digest(digest)
        path = self._blobs.path(found) if found else None
        if path is None:
            return False
        with suppress(FileNotFoundError):
            os.utime(path)
            return True
        return False

    def path(self, digest: str) -> Path:
        """Its file.

        Raises:
            Unknown: it is not there.
        """
        found = parse_digest(digest)
        path = self._blobs.path(found) if found else None
        if path is None:
            raise Unknown(
                f"there is no content {digest[:90]!r} here",
                resolution="Upload it: POST /api/v1/uploads.",
            )
        return path

    def add_file(self, file: Path) -> str:
        """Take a file in; one that lies in `scratch` is moved. Gives its digest."""
        with file.open("rb") as stream:
            digest = hash_stream(stream, ["sha256"]).digest("sha256")
        self._blobs.add(digest, file)
        return str(digest)

    def begin_upload(
        self, size: int | None = None, *, trusted: bool = False, owner: str = ""
    ) -> str:
        """A place for an upload; gives its id.

        Args:
            size: how many bytes there will be, if that is known.
            trusted: a worker's.
            owner: whose it is: a token's name.

        Raises:
            TooLarge: larger than the configuration allows.
            TooMany: the owner has begun too many.
            NoRoom: there is no room for it, or the owner's uploads have too much.
        """
        self._require_size(size or 0, trusted)
        self._require_share(size or 0, trusted, owner, new=1)
        self._require_room(size or 0, trusted)
        with self._telling(trusted):
            return self._uploads.start(owner)

    def append(
        self,
        upload: str,
        offset: int,
        data: Iterator[bytes],
        *,
        trusted: bool = False,
        owner: str = "",
    ) -> int:
        """Add bytes at an offset, which must be its end; gives the new end.

        What came before an error is kept.

        Raises:
            Unknown: there is no such upload.
            WrongState: the offset is another one (the problem's field ``size`` says which), or
                another request works on it.
            TooLarge, NoRoom: as of `begin_upload`.
        """
        with self._open(upload, owner) as opened:
            if offset != opened.size:
                raise WrongState(
                    f"the upload has {opened.size} bytes, not {offset}",
                    resolution=f"Go on at {opened.size}.",
                    fields={"size": opened.size},
                )
            for piece in data:
                self._require_size(opened.size + len(piece), trusted)
                self._require_share(len(piece), trusted, owner, new=0)
                self._require_room(len(piece), trusted)
                with self._telling(trusted):
                    opened.append(piece)
            return opened.size

    def offset(self, upload: str, *, owner: str = "") -> int:
        """How many bytes are there already.

        Raises:
            Unknown: there is no such upload.
        """
        with translated():
            return self._uploads.size(owner, upload)

    def finish_upload(self, upload: str, digest: str, *, owner: str = "") -> int:
        """Check an upload's bytes and keep them; gives their number.

        Raises:
            Unknown: there is no such upload, nor such content.
            Invalid: they have another digest; the upload is gone then.
        """
        wanted = sha256_digest(digest)
        with self._open(upload, owner) as opened:
            actual = opened.digest("sha256")
            if actual != wanted:
                opened.path.unlink()
                raise Invalid(
                    f"the upload's bytes have the digest {actual}, not {wanted}",
                    resolution="Send it again from its beginning.",
                    fields={"digest": str(actual)},
                )
            with self._telling(trusted=True):
                self._blobs.add(wanted, opened.path)
            return opened.size

    def drop_upload(self, upload: str, *, owner: str = "") -> None:
        """Forget an upload.

        Raises:
            Unknown: there is no such upload.
        """
        with translated():
            self._uploads.cancel(owner, upload)

    def forget_uploads(self, *, older: float = UPLOAD_SECONDS) -> int:
        """Remove uploads that nobody went on with, and what killed servers left; says how many."""
        latest, removed = time.time() - older, self._uploads.sweep(older=older)
        for path in self.scratch.glob(f"{TEMPORARY}*"):
            with suppress(FileNotFoundError):  # finished meanwhile
                if path.lstat().st_mtime <= latest:
                    remove_tree(path)
                    removed += 1
        return removed

    def collect(self, keep: Collection[str], *, idle: float) -> int:
        """Remove content that nothing refers to; gives the bytes that are free now.

        Args:
            keep: digests that something refers to.
            idle: seconds since it was last added or asked for, during which it stays anyway.
        """
        latest, freed = time.time() - idle, 0
        for digest in self._blobs.digests():
            added = self._blobs.added(digest)
            if str(digest) in keep or added is None or added > latest:
                continue
            size = self._blobs.find(digest) or 0
            freed += size if self._blobs.remove(digest) else 0
        return freed

    def note(self, name: str) -> bytes | None:
        """A small document by its name; ``None`` when there is none."""
        return self._blobs.document(name)

    def take_note(self, name: str, data: bytes) -> None:
        """Keep a small document in place of the one of this name."""
        self._blobs.write(name, data)

    def notes(self, prefix: str) -> Iterator[str]:
        """The names of documents that begin with a prefix."""
        return self._blobs.names(prefix)

    def drop_note(self, name: str) -> None:
        """Forget a document."""
        self._blobs.delete(name)

    def _require_size(self, size: int, trusted: bool) -> None:
        if not trusted and size > self.upload_limit:
            raise TooLarge(
                f"an upload may have {size_text(self.upload_limit)}",
                resolution="Send less, or raise farm.upload_limit on the server.",
                fields={"limit": self.upload_limit},
            )

    def _require_share(self, size: int, trusted: bool, owner: str, *, new: int) -> None:
        if not trusted:
            check_share(self._uploads, owner, size, new=new, limit=self.upload_limit)

    def _require_room(self, size: int, trusted: bool) -> None:
        floor = self._low // 2 if trusted else self._low
        if free_bytes(self.folder) - size >= floor:
            return
        self.make_room()
        if free_bytes(self.folder) - size < floor:
            raise no_room(floor)

    @contextmanager
    def _open(self, upload: str, owner: str) -> Iterator[Upload]:
        with translated(), self._uploads.open(owner, upload) as opened:
            yield opened

    @contextmanager
    def _telling(self, trusted: bool) -> Iterator[None]:
        try:
            yield
        except StoreError as full:
            raise no_room(self._low // 2 if trusted else self._low) from full


def open_contents(config: Config) -> ContentStore:
    """The server's store, in ``work_dir/farm/contents``.

    Raises:
        StoreError: it cannot be written.
    """
    farm = config.farm
    return ContentStore(
        config.work_dir / "farm" / "contents",
        upload_limit=farm.upload_limit,
        disk_low=farm.disk_low,
    )


def sha256_digest(text: str) -> Digest:
    """Read ``sha256:…``.

    Raises:
        Invalid: it is something else.
    """
    digest = parse_digest(text)
    if digest is None or digest.algorithm != "sha256":
        raise Invalid(
            f"{text[:90]!r} is no digest", resolution="Write sha256: and 64 hexadecimal digits."
        )
    return digest


def _nothing() -> None:
    return
