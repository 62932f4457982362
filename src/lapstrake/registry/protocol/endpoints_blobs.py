"""Blobs: pulled, looked up, removed from a repository."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from lapstrake.names import Digest
from lapstrake.registry.answers import API_VERSION
from lapstrake.registry.names import digest_of
from lapstrake.registry.problems import Problem
from lapstrake.registry.protocol.core import Core
from lapstrake.web.sending import FileAnswer, is_current, wanted_range

_ADDRESS_LIFETIME = 1200.0  # seconds: time to begin; what runs then may go on


@dataclass(frozen=True, slots=True)
class BlobEndpoints:
    """``/v2/NAME/blobs/DIGEST``."""

    core: Core

    def routes(self) -> list[Route]:
        """What is asked, and who answers."""
        path = "/v2/{name:path}/blobs/{digest}"
        return [
            Route(path, self.get, methods=["GET"]),
            Route(path, self.delete, methods=["DELETE"]),
        ]

    async def get(self, request: Request) -> Response:
        """A blob or a range of it; HEAD, too."""
        repository = self.core.repository(request)
        digest = digest_of(request.path_params["digest"])
        size = await self.core.look(self.core.blob_size, repository, digest)
        etag = f'"{digest}"'
        headers = {
            **API_VERSION,
            "Docker-Content-Digest": str(digest),
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Cache-Control": "max-age=31536000, immutable",
        }
        if is_current(request, etag):
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = "application/octet-stream"
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(size)})
        return await self._send(request, digest, size, headers)

    async def delete(self, request: Request) -> Response:
        """Show a blob in this repository no longer; others keep it."""
        repository = self.core.writable(request)
        digest = digest_of(request.path_params["digest"])
        if not await self.core.write(repository.unlink, digest):
            message = f"there is no blob {digest} in {repository.name}"
            raise Problem(404, "BLOB_UNKNOWN", message, {"digest": str(digest)})
        return Response(status_code=202, headers=API_VERSION)

    async def _send(
        self, request: Request, digest: Digest, size: int, headers: dict[str, str]
    ) -> Response:
        """The bytes: by the kernel, by the storage itself, or through us."""
        path = self.core.blobs.path(digest)
        if path is not None:
            return FileAnswer(request, path, headers)
        if self.core.redirect:
            url = await self.core.look(
                lambda: self.core.blobs.url(digest, seconds=_ADDRESS_LIFETIME)
            )
            if url is not None:
                del headers["Content-Type"], headers["Cache-Control"]
                return RedirectResponse(url, headers=headers)
        part = wanted_range(request, size, headers["ETag"])
        if part.status == 416:
            return Response(status_code=416, headers={**headers, **part.headers})
        return StreamingResponse(
            self.core.blobs.read(digest, start=part.start, end=part.end),
            status_code=part.status,
            headers={**headers, **part.headers},
        )
