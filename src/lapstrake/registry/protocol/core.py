"""What all endpoints of the registry's protocol work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import Request

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.local import LocalBlobs
from lapstrake.names import Digest
from lapstrake.registry.base import Demand
from lapstrake.registry.names import repository_name
from lapstrake.registry.problems import Problem
from lapstrake.registry.protocol.repositories import Repository
from lapstrake.registry.protocol.uploads import Uploads

T = TypeVar("T")


def is_ours(request: Request) -> bool:
    """Whether no page of another site made a browser ask (W3C, Fetch Metadata)."""
    return request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The registry's state; all that changes is in the store.

    Attributes:
        blobs: the store.
        demand: what makes images; ``None``: there are only pushed ones.
        namespaces: first parts of names that may be pushed to; all other names are made.
        read_only: whether pushes and deletions are refused.
        redirect: whether clients are sent to the storage's own addresses for blobs.
        may_make: whether images are made for whoever sent a request; others get what is there.
        uploads: blobs on their way in.
    """

    blobs: BlobStore
    demand: Demand | None = None
    namespaces: tuple[str, ...] = ("push", "local")
    read_only: bool = False
    redirect: bool = True
    may_make: Callable[[Request], bool] = is_ours
    uploads: Uploads = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "uploads", Uploads(self.blobs.scratch))

    async def look(self, work: Callable[..., T], *arguments: object) -> T:
        """Do what is a matter of microseconds on a disk, and of a thread elsewhere."""
        if isinstance(self.blobs, LocalBlobs):
            return work(*arguments)
        return await asyncio.to_thread(work, *arguments)

    async def write(self, work: Callable[..., T], *arguments: object) -> T:
        """Do what waits for the disk, in a thread."""
        return await asyncio.to_thread(work, *arguments)

    def is_pushed(self, name: str) -> bool:
        """Whether a name is one that clients push to, and so none that is made."""
        return name.partition("/")[0] in self.namespaces

    def repository(self, request: Request) -> Repository:
        """The repository that a request names.

        Raises:
            Problem: ``NAME_INVALID``.
        """
        return Repository(self.blobs, repository_name(request.path_params["name"]))

    def writable(self, request: Request) -> Repository:
        """The repository that a request is to change.

        Raises:
            Problem: it must not be changed, or its name is wrong.
        """
        repository = self.repository(request)
        if self.read_only:
            raise Problem(405, "UNSUPPORTED", "this registry is read-only")
        if "origin" in request.headers:  # every browser says it, and no registry's client
            raise Problem(403, "DENIED", "pages of the web may not change anything here")
        if not self.is_pushed(repository.name):
            places = " or ".join(f"{namespace}/…" for namespace in self.namespaces)
            message = (
                f"{repository.name!r} is made when it is pulled; push to {places or 'nothing'}"
            )
            raise Problem(403, "DENIED", message, {"namespaces": list(self.namespaces)})
        return repository

    def blob_size(self, repository: Repository, digest: Digest) -> int:
        """The size of a blob that a repository shows; names that are made show all.

        Raises:
            Problem: ``BLOB_UNKNOWN``.
        """
        pushed = self.is_pushed(repository.name)
        size = repository.blob(digest) if pushed else self.blobs.find(digest)
        if size is None:
            message = f"there is no blob {digest} in {repository.name}"
            raise Problem(404, "BLOB_UNKNOWN", message, {"digest": str(digest)})
        return size
