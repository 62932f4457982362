"""Where the server keeps bundles, sources, packed layers, logs and results: by digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Contents(Protocol):
    """Content by digest (``sha256:…``) on the server; see `lapstrake.blobs` for what is below.

    `trusted` uploads are workers': not bounded, and they may use more of the disk. An upload is its
    `owner`'s (a token's name): nobody else finds it.
    """

    @property
    def scratch(self) -> Path:
        """A folder on the same disk; a file in it becomes content by a rename."""
        ...

    def size(self, digest: str) -> int | None:
        """Bytes, ``None`` when it is not there."""
        ...

    def has(self, digest: str) -> bool:
        """Whether it is there; it then counts as added now, and stays for a while."""
        ...

    def path(self, digest: str) -> Path:
        """Its file.

        Raises:
            Unknown: it is not there.
        """
        ...

    def add_file(self, file: Path) -> str:
        """Take a file in (it is moved); gives its digest."""
        ...

    def begin_upload(
        self, size: int | None = None, *, trusted: bool = False, owner: str = ""
    ) -> str:
        """A place for an upload; gives its id.

        Raises:
            TooLarge: larger than the configuration allows.
            TooMany: its owner has too many that are not finished.
            NoRoom: there is no room for it, or its owner's unfinished ones have too much.
        """
        ...

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

        Raises:
            Unknown: there is no such upload.
            WrongState: the offset is another one; the problem's fields say which.
            TooLarge, NoRoom: as of `begin_upload`.
        """
        ...

    def offset(self, upload: str, *, owner: str = "") -> int:
        """How many bytes are there already."""
        ...

    def finish_upload(self, upload: str, digest: str, *, owner: str = "") -> int:
        """Check an upload's bytes and keep them; gives their number.

        Raises:
            Invalid: they have another digest; the upload is gone then.
        """
        ...

    def drop_upload(self, upload: str, *, owner: str = "") -> None:
        """Forget an upload.

        Raises:
            Unknown: there is no such upload.
        """
        ...

    def note(self, name: str) -> bytes | None:
        """A small document by its name (words and slashes); ``None`` when there is none."""
        ...

    def take_note(self, name: str, data: bytes) -> None:
        """Keep a small document in place of the one of this name."""
        ...

    def notes(self, prefix: str) -> Iterator[str]:
        """The names of documents that begin with a prefix."""
        ...

    def drop_note(self, name: str) -> None:
        """Forget a document."""
        ...
