"""Blobs pushed: in one piece, in chunks, resumed, mounted from another repository."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from lapstrake.errors import StoreError
from lapstrake.names import Digest
from lapstrake.registry.answers import API_VERSION, problem_answer
from lapstrake.registry.names import digest_of, repository_name
from lapstrake.registry.problems import Problem
from lapstrake.registry.protocol.core import Core
from lapstrake.registry.protocol.repositories import Repository
from lapstrake.registry.protocol.uploads import Upload

_PIECE = 1 << 20
"""Bytes that are collected before a thread writes and sums them."""
_RANGE = re.compile(r"(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/.*)?\Z")


@dataclass(frozen=True, slots=True)
class UploadEndpoints:
    """``/v2/NAME/blobs/uploads/`` and what is below."""

    core: Core

    def routes(self) -> list[Route]:
        """What is asked, and who answers."""
        path = "/v2/{name:path}/blobs/uploads/{upload}"
        return [
            Route("/v2/{name:path}/blobs/uploads/", self.post, methods=["POST"]),
            Route("/v2/{name:path}/blobs/uploads", self.post, methods=["POST"]),
            Route(path, self.status, methods=["GET"]),
            Route(path, self.patch, methods=["PATCH"]),
            Route(path, self.put, methods=["PUT"]),
            Route(path, self.cancel, methods=["DELETE"]),
        ]

    async def post(self, request: Request) -> Response:
        """Begin an upload; do all of it where the request has all of it."""
        repository = self.core.writable(request)
        mount, digest = request.query_params.get("mount"), request.query_params.get("digest")
        if mount is not None:
            wanted = digest_of(mount)
            origin = request.query_params.get("from")
            if await self.core.write(self._mount, repository, wanted, origin):
                return _stored(repository, wanted)
        expected = None if digest is None else digest_of(digest)
        upload = await self.core.write(self.core.uploads.start, repository.name)
        if expected is None:
            return _progress(202, repository, upload, 0)
        try:
            with self.core.uploads.open(repository.name, upload) as opened:
                return await self._finish(request, repository, opened, expected)
        except BaseException:  # nobody was told its id: it cannot be resumed
            with suppress(Problem):
                self.core.uploads.cancel(repository.name, upload)
            raise

    async def status(self, request: Request) -> Response:
        """How far an upload got."""
        repository, upload = self.core.writable(request), request.path_params["upload"]
        size = self.core.uploads.size(repository.name, upload)
        return _progress(204, repository, upload, size)

    async def patch(self, request: Request) -> Response:
        """Take a chunk."""
        repository, name = self.core.writable(request), request.path_params["upload"]
        with self.core.uploads.open(repository.name, name) as upload:
            if not _continues(request, upload.size):
                return _out_of_order(repository, name, upload.size)
            await self._receive(request, upload)
            return _progress(202, repository, name, upload.size)

    async def put(self, request: Request) -> Response:
        """Take the last chunk, which may be empty, and make it a blob."""
        repository, name = self.core.writable(request), request.path_params["upload"]
        expected = digest_of(request.query_params.get("digest", ""))
        with self.core.uploads.open(repository.name, name) as upload:
            if not _continues(request, upload.size):
                return _out_of_order(repository, name, upload.size)
            return await self._finish(request, repository, upload, expected)

    async def cancel(self, request: Request) -> Response:
        """Give an upload up."""
        repository = self.core.writable(request)
        self.core.uploads.cancel(repository.name, request.path_params["upload"])
        return Response(status_code=204, headers=API_VERSION)

    async def _finish(
        self, request: Request, repository: Repository, upload: Upload, expected: Digest
    ) -> Response:
        """Receive the rest, check the digest, and store; a wrong one leaves nothing."""

        def store() -> None:
            digest = upload.digest(expected.algorithm)
            if digest != expected:
                upload.path.unlink()
                message = f"what arrived is {digest}, not {expected}"
                detail = {"digest": str(digest), "bytes": upload.size}
                raise Problem(400, "DIGEST_INVALID", message, detail)
            self.core.blobs.add(expected, upload.path)
            repository.link(expected)

        await self._receive(request, upload)
        await self.core.write(store)
        return _stored(repository, expected)

    async def _receive(self, request: Request, upload: Upload) -> None:
        """Append a request's body; what a client that leaves has sent stays.

        Raises:
            Problem: the body is not as long as it says.
            StoreError: the disk is full; the upload is as long as before.
        """
        before, waiting = upload.size, bytearray()
        try:
            async for piece in request.stream():
                waiting += piece
                if len(waiting) >= _PIECE:
                    await asyncio.to_thread(upload.append, bytes(waiting))
                    waiting.clear()
            await asyncio.to_thread(upload.append, bytes(waiting))
        except ClientDisconnect:
            upload.append(bytes(waiting))
            raise
        except StoreError:  # a full disk: others may need what little is left
            upload.cut(before)
            raise
        _check_length(request, upload, before)

    def _mount(self, repository: Repository, digest: Digest, origin: str | None) -> bool:
        """Show a blob that is there already; says whether it could be."""
        if origin is None:
            known = self.core.blobs.find(digest) is not None
        else:
            try:
                there = Repository(self.core.blobs, repository_name(origin))
                known = self.core.blob_size(there, digest) >= 0
            except Problem:
                known = False
        if known:
            repository.link(digest)
        return known


def _continues(request: Request, size: int) -> bool:
    """Whether a chunk begins where the upload ends; one that does not say where does.

    Raises:
        Problem: ``Content-Range`` is no range.
    """
    said = _said_range(request)
    return said is None or said[0] == size


def _said_range(request: Request) -> tuple[int, int] | None:
    """The first and the last byte that ``Content-Range`` names; ``None`` without one."""
    text = request.headers.get("content-range")
    if text is None:
        return None
    found = _RANGE.match(text)
    if found is None:
        raise Problem(400, "BLOB_UPLOAD_INVALID", f"Content-Range {text[:80]!r} is not START-END")
    return int(found[1]), int(found[2])


def _check_length(request: Request, upload: Upload, before: int) -> None:
    """A chunk must have the length that its range says; one that has not is forgotten."""
    said = _said_range(request)
    if said is not None and upload.size - before != said[1] - said[0] + 1:
        received = upload.size - before
        upload.cut(before)
        message = f"Content-Range says {said[0]}-{said[1]}, but {received} bytes arrived"
        raise Problem(400, "SIZE_INVALID", message)


def _progress(status: int, repository: Repository, upload: str, size: int) -> Response:
    """An upload's address and how far it got."""
    headers = {
        **API_VERSION,
        "Location": f"/v2/{repository.name}/blobs/uploads/{upload}",
        "Range": f"0-{max(size - 1, 0)}",
        "Docker-Upload-UUID": upload,
        "Content-Length": "0",
    }
    if status == 204:
        del headers["Content-Length"]
    return Response(status_code=status, headers=headers)


def _out_of_order(repository: Repository, upload: str, size: int) -> Response:
    problem = Problem(416, "BLOB_UPLOAD_INVALID", f"the upload has {size} bytes; go on from there")
    headers = _progress(416, repository, upload, size).headers
    said = {name: headers[name] for name in ("Location", "Range", "Docker-Upload-UUID")}
    return problem_answer(problem, said)


def _stored(repository: Repository, digest: Digest) -> Response:
    headers = {
        **API_VERSION,
        "Location": f"/v2/{repository.name}/blobs/{digest}",
        "Docker-Content-Digest": str(digest),
    }
    return Response(status_code=201, headers=headers)
