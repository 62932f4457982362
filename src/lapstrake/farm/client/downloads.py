"""Download what a task made: in one step, verified, going on where a broken download ended."""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import quote

from lapstrake.errors import ChecksumError, FarmError
from lapstrake.farm.client.answer import RETRY_AFTER, UnreachableError
from lapstrake.farm.client.http import Connection
from lapstrake.farm.client.uploads import digest_of
from lapstrake.farm.problems import Problem, TooMany, Unavailable
from lapstrake.farm.values.tasks import OutputFile
from lapstrake.host import files

_PAUSE = 0.5


def download(connection: Connection, path: str, output: OutputFile, folder: Path) -> Path:
    """Download one file, unless it is there.

    Args:
        connection: the server.
        path: where it is on the server; quoted here.
        output: its name, digest and size.
        folder: where it goes.

    Raises:
        FarmError: the server gives it a name that is a path.
        ChecksumError: its bytes are not what `output` says, twice.
    """
    if output.name in {"", ".", ".."} or "/" in output.name or "\0" in output.name:
        raise FarmError(f"the server names a file {output.name!r}, which is no file's name")
    target = folder / output.name
    if target.is_file() and digest_of(target) == output.digest:
        return target
    for _ in range(2):
        temporary = files.temporary_name(target)
        try:
            found = _fetch(connection, quote(path), output.size, temporary)
            if found == output.digest:
                temporary.replace(target)
                return target
        finally:
            temporary.unlink(missing_ok=True)
    raise ChecksumError(
        f"{output.name} came damaged, twice",
        details=f"expected {output.digest}\ngot      {found}",
    )


def _fetch(connection: Connection, path: str, size: int, target: Path) -> str:
    """Fetch the bytes, as often as the connection breaks; gives their digest."""
    seen = time.monotonic()
    with target.open("xb") as file:
        while True:
            headers = {"Range": f"bytes={file.tell()}-"} if file.tell() else {}
            try:
                with connection.open("GET", path, headers=headers) as response:
                    if headers and response.status_code != 206:
                        file.seek(0)
                        file.truncate()
                    for piece in response.iter_raw():
                        file.write(piece)
                        seen = time.monotonic()
                break
            except (UnreachableError, TooMany, Unavailable) as passing:
                if file.tell() >= size > 0:
                    break  # all of it came before the end
                if time.monotonic() - seen > connection.patience:
                    raise
                told = passing.fields.get(RETRY_AFTER) if isinstance(passing, Problem) else None
                time.sleep(told if isinstance(told, float) else _PAUSE)
        file.flush()
        os.fsync(file.fileno())
    return digest_of(target)
