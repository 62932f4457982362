"""Bodies that become content: read as they come, bounded, never held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from functools import partial

from fastapi.concurrency import contextmanager_in_threadpool as in_threads
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.unfinished import one_upload
from lapstrake.farm.problems import Invalid

_PIECE = 1 << 20


async def receive(request: Request, contents: Contents) -> str:
    """Take a request's body, or the one file of a form, into the contents; gives its digest.

    Raises:
        TooLarge: more bytes than the configuration allows; told while they come.
        Invalid: there are none, or the form has no file, or does not say its size.
        NoRoom: there is no room.
    """
    owner = viewer_of(request).name
    append = partial(contents.append, owner=owner)
    digest, offset = hashlib.sha256(), 0
    async with in_threads(one_upload(contents, _said_size(request), owner=owner)) as upload:
        async for piece in _pieces(request):
            digest.update(piece)
            offset = await run_in_threadpool(append, upload, offset, iter((piece,)))
        if not offset:
            raise Invalid("there is no body", resolution="Send the archive as the request's body.")
        name = f"sha256:{digest.hexdigest()}"
        await run_in_threadpool(contents.finish_upload, upload, name, owner=owner)
    return name


def _said_size(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body, or the form's file, in pieces worth a write each."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async for piece in _file_pieces(request):
            yield piece
        return
    async for piece in body_pieces(request):
        yield piece


async def body_pieces(request: Request) -> AsyncIterator[bytes]:
    """A request's body in pieces worth a write each; the last one also when the client is cut."""
    waiting = bytearray()
    try:
        async for piece in request.stream():
            waiting += piece
            if len(waiting) >= _PIECE:
                yield bytes(waiting)
                waiting.clear()
    except ClientDisconnect:
        if waiting:
            yield bytes(waiting)
        raise
    if waiting:
        yield bytes(waiting)


async def _file_pieces(request: Request) -> AsyncIterator[bytes]:
    if _said_size(request) is None:  # a form goes into a file first, as large as it may be
        raise Invalid("the form does not say its size", resolution="Send a Content-Length.")
    async with request.form(max_files=1, max_fields=8) as form:
        file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
        if file is None:
            raise Invalid(
                "the form has no file", resolution="Send the archive in a field of the form."
            )
        while piece := await file.read(_PIECE):
            yield piece
