"""The seven calls that a build needs: from a bundle to its packages."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from lapstrake.farm.api.builder import BuilderStatus, builder_status
from lapstrake.farm.api.listing import ListedTasks
from lapstrake.farm.api.receiving import receive
from lapstrake.farm.api.requests import BranchBody, BundleBody, Id, Key, NewBody, SpecBody
from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.desk.intake import take_bundle
from lapstrake.farm.problems import Invalid, TooLarge
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import OutputFile, Task, TaskState

router = APIRouter(tags=["seed"])

_LARGEST_WORDS = 1 << 16
ModelT = TypeVar("ModelT", bound=BaseModel)


class Status(BaseModel):
    """How a task stands, in short."""

    id: int
    state: TaskState
    reason: str
    holder: str
    deadline: float
    attempt: int
    worker: str
    outputs: list[OutputFile]
    exit_code: int


@router.post("/task", status_code=201)
def new_task(
    state: StateOf,
    viewer: ViewerOf,
    body: Annotated[NewBody | None, Body()] = None,
    key: Key = "",
) -> Task:
    """Make a task; it lacks a bundle and a branch yet."""
    asked = body or NewBody()
    return state.desk.new_task(
        viewer.name, priority=asked.priority, arch=asked.arch, name=asked.name, key=key
    )


@router.get("/task")
def list_tasks(listed: ListedTasks) -> Page[Task]:
    """Tasks, newest first."""
    return listed


_ARCHIVE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": BundleBody.model_json_schema()},
        },
    }
}


@router.put("/task/{id}/build_bundle", openapi_extra=_ARCHIVE)
async def set_bundle(state: StateOf, request: Request, id: Id) -> Task:
    """Give a task its bundle: an archive (tar, plain or compressed; zip), or JSON that names it."""
    await run_in_threadpool(state.desk.task, id)  # before a gigabyte has come for nothing
    if _type(request) == "application/json":
        asked = _read(BundleBody, await _words(request))
        return await run_in_threadpool(_name_bundle, state, id, asked)
    digest = await receive(request, state.contents)
    return await run_in_threadpool(take_bundle, state.desk, id, digest)


def _name_bundle(state: StateOf, id: int, asked: BundleBody) -> Task:
    if bool(asked.source) == bool(asked.digest):
        raise Invalid(
            "either source or digest says where the bundle is",
            resolution='Send {"source": "apt:NAME"}, or {"digest": "sha256:…"} of an upload.',
        )
    if asked.source:
        return state.desk.set_bundle(id, source=asked.source, name=asked.name)
    return take_bundle(state.desk, id, asked.digest, name=asked.name)


_BRANCH: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [BranchBody.model_json_schema(), {"type": "string"}]}
            },
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


@router.put("/task/{id}/branch", openapi_extra=_BRANCH)
async def set_branch(state: StateOf, request: Request, id: Id) -> Task:
    """Give a task its branch: ``{"branch": NAME}``, ``"NAME"``, or NAME as plain text."""
    words = await _words(request)
    if _type(request) == "application/json":
        value = _json(words)
        name = value if isinstance(value, str) else _read(BranchBody, words).branch
    else:
        name = words.decode("utf-8", "replace").strip()
    if not name:
        raise Invalid("the body names no branch", resolution='Send {"branch": "NAME"}, or NAME.')
    return await run_in_threadpool(state.desk.set_branch, id, name)


@router.put("/task/{id}/build")
def start(state: StateOf, id: Id, body: Annotated[SpecBody | None, Body()] = None) -> Task:
    """Build it; the body may say how."""
    return state.desk.start(id, **(body.said() if body else {}))


@router.get("/task/{id}/status")
def status(state: StateOf, id: Id) -> Status:
    """How it stands."""
    task = state.desk.task(id)
    return Status(**{name: getattr(task, name) for name in Status.model_fields})


@router.get("/builder/status")
def builder(state: StateOf) -> BuilderStatus:
    """What the farm does right now."""
    return builder_status(state)


def _type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _words(request: Request) -> bytes:
    """A short body.

    Raises:
        TooLarge: it is none.
    """
    words = bytearray()
    async for piece in request.stream():
        words += piece
        if len(words) > _LARGEST_WORDS:
            raise TooLarge(
                f"this body may have {_LARGEST_WORDS} bytes",
                resolution="Send an archive as application/octet-stream.",
            )
    return bytes(words)


def _json(words: bytes) -> object:
    try:
        return json.loads(words)
    except (ValueError, RecursionError) as wrong:
        raise Invalid(f"the body is no JSON: {wrong}", resolution="Send JSON.") from None


def _read(kind: type[ModelT], words: bytes) -> ModelT:
    """A body that FastAPI does not read, checked as if it did."""
    try:
        return kind.model_validate(_json(words))
    except ValidationError as wrong:
        raise RequestValidationError(
            [{**error, "loc": ("body", *error["loc"])} for error in wrong.errors()]
        ) from None
