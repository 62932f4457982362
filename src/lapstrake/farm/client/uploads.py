"""Give files to the server: by digest, in pieces, going on where a broken upload ended."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from lapstrake.errors import FarmError
from lapstrake.farm.client.answer import UnreachableError
from lapstrake.farm.client.http import Connection
from lapstrake.farm.problems import Unknown, WrongState

PIECE = 8 << 20
"""Bytes of one request: what a broken connection costs at most."""

_RESTARTS = 3
_PAUSE = 0.2


def digest_of(file: Path) -> str:
    """A file's digest as the farm writes it, ``sha256:…``."""
    with file.open("rb") as opened:
        return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"


def has_content(connection: Connection, digest: str) -> bool:
    """Whether the server has these bytes already."""
    body = {"digests": [digest]}
    return not connection.send(list[str], "POST", "/api/v1/content/missing", body)


def upload(connection: Connection, file: Path, digest: str = "") -> str:
    """Give the server a file, unless it has it.

    Args:
        connection: the server.
        file: what to send; it must not change meanwhile.
        digest: of the file, if it is known.

    Raises:
        TooLarge: larger than the server takes.
        NoRoom: the server's disk is full.
        Invalid: the file changed while it was sent.
        UnreachableError: the server went away for longer than the connection's patience.

    Returns:
        the digest.
    """
    digest = digest or digest_of(file)
    if has_content(connection, digest):
        return digest
    for _ in range(_RESTARTS):
        try:
            _send(connection, file, digest)
        except Unknown:  # the upload: the server was restored, or cleaned up
            continue
        return digest
    raise FarmError(f"{file}: the server forgets the upload again and again")


def _send(connection: Connection, file: Path, digest: str) -> None:
    """One upload from its begin to its end."""
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        begun = connection.call("POST", "/api/v1/uploads", json={"size": size}).json()
        path, offset = f"/api/v1/uploads/{begun['id']}", int(begun["offset"])
        grown = time.monotonic()
        while offset < size:
            piece = os.pread(opened.fileno(), PIECE, offset)
            if not piece:
                raise FarmError(f"{file} became shorter while it was sent")
            before, offset = offset, _append(connection, path, offset, piece)
            if offset > before:
                grown = time.monotonic()
            elif time.monotonic() - grown > connection.patience:
                raise UnreachableError(f"{file}: the connection breaks again and again")
            else:
                time.sleep(_PAUSE)
    connection.call("PUT", path, json={"digest": digest})


def _append(connection: Connection, path: str, offset: int, piece: bytes) -> int:
    """Send a piece; gives where the server wants the next one.

    A piece that broke off, or whose answer was lost, is not simply sent again: the server would
    refuse it before it is whole, and the refusal would be lost as well. It tells where it stands.
    """
    try:
        answer = connection.call("PATCH", path, body=piece, params={"offset": offset}, again=False)
    except (WrongState, UnreachableError):
        answer = connection.call("HEAD", path)
        return int(answer.headers["upload-offset"])
    return int(answer.json()["offset"])
