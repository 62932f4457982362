"""What workers bring together before they build: stacks, layers, repositories, sources."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.api.transfer import ANY_FILE, BYTES, ContentName
from lapstrake.farm.contents.shelves import ShelfState, Shelves
from lapstrake.farm.contents.sources import find_source, keep_source
from lapstrake.farm.contents.stack import PackedLayer, StackDocument
from lapstrake.farm.contents.stacks import Stacks, known_arch
from lapstrake.farm.problems import Invalid
from lapstrake.web.sending import answer_file, is_current

router = APIRouter(prefix="/api/v1", include_in_schema=False)

_LONGEST = Query(max_length=200)


@router.get("/branches/{branch}/stack", tags=["branches"])
def stack(state: StateOf, branch: str, arch: Annotated[str, _LONGEST] = "") -> StackDocument:
    """A branch's source list, and the layers it is made of for an architecture."""
    stacks = Stacks(state.place, state.contents)
    return stacks.document(branch, arch or state.config.arch.value)


@router.put("/branches/{branch}/stack", status_code=204, tags=["branches"])
def share_stack(state: StateOf, viewer: ViewerOf, branch: str, document: StackDocument) -> None:
    """Tell of a stack that a worker made, whose layers it has shared."""
    if document.branch != branch:
        raise Invalid(f"the stack is of {document.branch[:90]!r}, not of {branch[:90]!r}")
    Stacks(state.place, state.contents).accept(document, viewer.name)


@router.get("/layers/{arch}/{key}", tags=["branches"])
def layer(state: StateOf, arch: str, key: str) -> PackedLayer:
    """A layer as content; the first time it is packed, which may take a while."""
    return Stacks(state.place, state.contents).packed(arch, key)


@router.put("/layers/{arch}/{key}", status_code=204, tags=["branches"])
def share_layer(state: StateOf, viewer: ViewerOf, arch: str, key: str, packed: PackedLayer) -> None:
    """Share a layer that a worker made, and uploaded."""
    Stacks(state.place, state.contents).accept_layer(arch, key, packed, viewer.name)


@router.get("/branches/{branch}/repository", response_model=ShelfState, tags=["branches"])
def repository(
    request: Request,
    response: Response,
    state: StateOf,
    branch: str,
    arch: Annotated[str, _LONGEST] = "",
) -> ShelfState | Response:
    """All files of a branch's repository, to have a copy; architectures are joined by commas."""
    arches = frozenset(known_arch(each).value for each in arch.split(",") if each)
    shelves = Shelves(state.place)
    etag = f'"{shelves.mark(branch)}-{"-".join(sorted(arches))}"'
    if is_current(request, etag):
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return shelves.state(branch, arches)


@router.head("/sources/{digest}", include_in_schema=False, response_class=Response)
@router.get(
    "/sources/{digest}",
    tags=["content"],
    response_class=Response,
    responses=ANY_FILE,
)
def source(request: Request, state: StateOf, digest: str) -> Response:
    """A source of the server's download cache, by any checksum it was verified with."""
    path, found = find_source(state.config, digest)
    headers = {"Content-Type": BYTES, "ETag": f'"{found}"', "Accept-Ranges": "bytes"}
    return answer_file(request, path, headers)


@router.post("/sources", status_code=204, tags=["content"])
def share_source(state: StateOf, name: ContentName) -> None:
    """Put an uploaded source into the server's download cache."""
    keep_source(state.config, state.contents, name.digest)
