"""Bytes in and out: uploads that can be resumed, content by digest, repositories, artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field, StrictInt
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from lapstrake.farm.access.viewer import Viewer
from lapstrake.farm.api.receiving import body_pieces
from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.contents.branches import apt_sources
from lapstrake.farm.contents.shelves import Shelves
from lapstrake.farm.contents.store import sha256_digest
from lapstrake.farm.problems import Unknown
from lapstrake.farm.values.scopes import Scope
from lapstrake.web.pages import address
from lapstrake.web.sending import answer_file, send_file

router = APIRouter()

BYTES = "application/octet-stream"
_FILE: dict[str, Any] = {BYTES: {}, "text/plain": {}}
ANY_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": _FILE},
    206: {"description": "A part of it", "content": _FILE},
    304: {"description": "The client has it"},
    416: {"description": "It has no such part"},
}
UploadId = Annotated[str, Path(alias="upload", pattern="^[0-9a-f]{32}$")]
DigestText = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadWish:
    """What an upload will be.

    Attributes:
        size: bytes, if that is known.
    """

    size: Annotated[StrictInt, Field(ge=0, le=1 << 62)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadBegun:
    """An upload that can be sent to."""

    id: str
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOffset:
    """How many bytes of an upload are there."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentName:
    """A digest, ``sha256:…``."""

    digest: DigestText


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFacts:
    """Content that is here."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentNames:
    """Digests, ``sha256:…``."""

    digests: Annotated[tuple[DigestText, ...], Field(max_length=10_000)]


@router.post("/api/v1/uploads", status_code=201, tags=["content"])
def begin_upload(state: StateOf, viewer: ViewerOf, wish: UploadWish | None = None) -> UploadBegun:
    """Begin an upload; it can be resumed for a day."""
    size = wish.size if wish else None
    trusted, contents = _is_worker(viewer), state.contents
    return UploadBegun(id=contents.begin_upload(size, trusted=trusted, owner=viewer.name))


@router.head("/api/v1/uploads/{upload}", include_in_schema=False)
@router.get("/api/v1/uploads/{upload}", tags=["content"])
def upload_offset(
    state: StateOf, viewer: ViewerOf, upload: UploadId, response: Response
) -> UploadOffset:
    """How far an upload got; also in the header ``Upload-Offset``."""
    offset = state.contents.offset(upload, owner=viewer.name)
    response.headers["Upload-Offset"] = str(offset)
    return UploadOffset(offset=offset)


@router.patch(
    "/api/v1/uploads/{upload}",
    tags=["content"],
    openapi_extra={"requestBody": {"content": {BYTES: {}}}},
)
async def append_to_upload(
    request: Request,
    state: StateOf,
    viewer: ViewerOf,
    upload: UploadId,
    offset: Annotated[int, Query(ge=0, le=1 << 62)],
) -> UploadOffset:
    """Add bytes at an upload's end; what came of a request that was cut is kept."""
    append = partial(state.contents.append, trusted=_is_worker(viewer), owner=viewer.name)
    async for piece in body_pieces(request):
        offset = await run_in_threadpool(append, upload, offset, iter((piece,)))
    return UploadOffset(offset=offset)


@router.put("/api/v1/uploads/{upload}", tags=["content"])
def finish_upload(
    state: StateOf, viewer: ViewerOf, upload: UploadId, name: ContentName
) -> ContentFacts:
    """Compare an upload's bytes with their digest, and keep them."""
    size = state.contents.finish_upload(upload, name.digest, owner=viewer.name)
    return ContentFacts(digest=name.digest, size=size)


@router.post("/api/v1/content/missing", tags=["content"])
def missing_content(state: StateOf, names: ContentNames) -> list[str]:
    """Those that are not here, and must be uploaded."""
    return [digest for digest in names.digests if not state.contents.has(digest)]


@router.head("/api/v1/content/{digest}", include_in_schema=False, response_class=Response)
@router.get(
    "/api/v1/content/{digest}",
    tags=["content"],
    response_class=Response,
    responses=ANY_FILE,
)
def content(request: Request, state: StateOf, digest: DigestText) -> Response:
    """Bytes by their digest; files of the branches' repositories, too."""
    wanted = sha256_digest(digest)
    path = Shelves(state.place).find(wanted)
    if path is None:
        path = state.contents.path(str(wanted))
    headers = {
        "Content-Type": BYTES,
        "ETag": f'"{wanted}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return answer_file(request, path, headers)


@router.head("/repository/{branch}/{file:path}", include_in_schema=False, response_class=Response)
@router.get(
    "/repository/{branch}/{file:path}",
    tags=["branches"],
    response_class=Response,
    responses=ANY_FILE,
)
def repository_file(request: Request, state: StateOf, branch: str, file: str) -> Response:
    """A branch's signed repository, as apt reads it."""
    if file == f"{branch}.sources":  # the one that is kept names a folder of this machine
        return PlainTextResponse(apt_sources(state.config, branch, address(request)))
    path = Shelves(state.place).file(branch, file)
    kind = "text/plain; charset=utf-8" if "." not in path.name else BYTES
    try:
        return send_file(request, path, media_type=kind)
    except OSError:
        raise Unknown(f"the repository of {branch} has no {file[:200]!r}") from None


@router.head("/artifacts/{name}", include_in_schema=False, response_class=Response)
@router.get(
    "/artifacts/{name}",
    tags=["artifacts"],
    response_class=Response,
    responses=ANY_FILE,
)
def artifact(request: Request, state: StateOf, name: str) -> Response:
    """A published artifact: the site that `lapstrake artifact get` is given."""
    folder = state.config.work_dir / "farm" / "artifacts"
    if name.startswith(".") or "/" in name or "\0" in name:
        raise Unknown(f"there is no artifact {name[:200]!r}")
    try:
        return send_file(request, folder / name, media_type=BYTES)
    except OSError:
        raise Unknown(f"there is no artifact {name[:200]!r}") from None


def _is_worker(viewer: Viewer) -> bool:
    """Whether a worker sends it; somebody who may do everything is taken for a user."""
    return viewer.may(Scope.WORKER) and not viewer.may(Scope.SUBMIT)
