"""Manifests: pulled, pushed, deleted."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lapstrake.names import Digest
from lapstrake.oci.descriptors import Descriptor
from lapstrake.registry.answers import API_VERSION, while_connected
from lapstrake.registry.base import MANIFEST_LIMIT
from lapstrake.registry.names import reference_of
from lapstrake.registry.problems import Problem
from lapstrake.registry.protocol.core import Core
from lapstrake.registry.protocol.manifests import media_type_of, read_manifest, too_large
from lapstrake.registry.protocol.repositories import Repository, collecting, digest_bytes
from lapstrake.web.sending import is_current

_REMEMBERED = 256
_SMALL = 1 << 16


@dataclass(frozen=True, slots=True)
class ManifestEndpoints:
    """``/v2/NAME/manifests/REFERENCE``."""

    core: Core
    _bytes: dict[Digest, bytes] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """What is asked, and who answers."""
        path = "/v2/{name:path}/manifests/{reference}"
        return [
            Route(path, self.get, methods=["GET"]),
            Route(path, self.put, methods=["PUT"]),
            Route(path, self.delete, methods=["DELETE"]),
        ]

    async def get(self, request: Request) -> Response:
        """A manifest, whatever the client accepts if it was pushed; HEAD, too."""
        repository = self.core.repository(request)
        reference = reference_of(request.path_params["reference"])
        if self.core.is_pushed(repository.name):
            found = await self.core.look(repository.manifest, reference)
        else:
            found = await self._made(request, repository.name, reference)
        if found is None:
            raise _unknown(repository, reference)
        etag = f'"{found.digest}"'
        headers = {
            **API_VERSION,
            "Docker-Content-Digest": str(found.digest),
            "ETag": etag,
            "Content-Type": found.media_type,
        }
        if is_current(request, etag):
            return Response(status_code=304, headers=headers)
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(found.size)})
        return Response(await self._read(found.digest), headers=headers)

    async def put(self, request: Request) -> Response:
        """Take a manifest whose parts are here."""
        repository = self.core.writable(request)
        reference = reference_of(request.path_params["reference"])
        data = await _body(request)
        tag = reference if isinstance(reference, str) else ""
        wanted = reference if isinstance(reference, Digest) else None
        digest = digest_bytes(data, wanted.algorithm if wanted else "sha256")
        if wanted is not None and wanted != digest:
            message = f"the manifest is {digest}, not {wanted}"
            raise Problem(400, "DIGEST_INVALID", message, {"digest": str(digest)})
        manifest = read_manifest(data, request.headers.get("content-type", ""))

        def store() -> None:
            with collecting(self.core.blobs, collects=False):
                repository.require_parts(manifest)
                repository.put(data, digest, manifest, tag=tag)

        await self.core.write(store)
        headers = {
            **API_VERSION,
            "Location": f"/v2/{repository.name}/manifests/{digest}",
            "Docker-Content-Digest": str(digest),
        }
        if manifest.subject is not None:
            headers["OCI-Subject"] = str(manifest.subject)
        return Response(status_code=201, headers=headers)

    async def delete(self, request: Request) -> Response:
        """Forget a tag, or a manifest with all its tags."""
        repository = self.core.writable(request)
        reference = reference_of(request.path_params["reference"])
        forget = repository.untag if isinstance(reference, str) else repository.remove
        if not await self.core.write(forget, reference):
            raise _unknown(repository, reference)
        return Response(status_code=202, headers=API_VERSION)

    async def _made(
        self, request: Request, name: str, reference: Digest | str
    ) -> Descriptor | None:
        """By tag what demand makes; by digest whatever manifest is in the store."""
        if isinstance(reference, Digest):
            size = await self.core.look(self.core.blobs.find, reference)
            if size is None or size > MANIFEST_LIMIT:
                return None
            media_type = media_type_of(await self._read(reference))
            if not media_type:
                return None
            return Descriptor(media_type=media_type, digest=reference, size=size)
        if self.core.demand is None:
            return None
        accept = request.headers.getlist("accept")
        types = [word.partition(";")[0].strip() for line in accept for word in line.split(",")]
        make = self.core.may_make(request)
        return await while_connected(
            request, self.core.demand.resolve(name, reference, types, make=make)
        )

    async def _read(self, digest: Digest) -> bytes:
        """A manifest's bytes; small ones are remembered."""
        known = self._bytes.get(digest)
        if known is not None:
            return known
        data = await self.core.look(lambda: b"".join(self.core.blobs.read(digest)))
        if len(data) <= _SMALL:
            while len(self._bytes) >= _REMEMBERED:
                del self._bytes[next(iter(self._bytes))]
            self._bytes[digest] = data
        return data


async def _body(request: Request) -> bytes:
    """A manifest that is sent; no more than the limit is read."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MANIFEST_LIMIT:
            raise too_large()
    return bytes(data)


def _unknown(repository: Repository, reference: Digest | str) -> Problem:
    message = f"there is no manifest {reference} in {repository.name}"
    return Problem(404, "MANIFEST_UNKNOWN", message, {"reference": str(reference)})
