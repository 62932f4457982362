"""Secrets of a server, shared by all of its processes."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from lapstrake.host.files import write_atomic
from lapstrake.host.locks import locked

_BYTES = 32


def signing_key(path: Path, *, what: str) -> bytes:
    """The secret that tokens and cookies are signed with; made at the first use.

    Args:
        path: its file.
        what: whose it is, for those who wait for its lock.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(path.with_name(f"{path.name}.lock"), what=what):
        with suppress(FileNotFoundError):
            key = path.read_bytes()
            if len(key) == _BYTES:  # an empty one, after a crash, would be everybody's
                return key
        key = secrets.token_bytes(_BYTES)
        write_atomic(path, key, mode=0o600)
        return key
