"""Pieces of logs as events: read and written once, sent to all who follow."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lapstrake.web.events import event

_READERS = ThreadPoolExecutor(4, "log")
_PIECE = 1 << 16
_LONGEST_LINE = 1 << 20
"""Bytes after which a line is cut in two."""
_KEPT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some lines of a log.

    Attributes:
        end: the byte after its last one.
        event: as it is sent.
    """

    end: int
    event: bytes


class LogPieces:
    """The pieces of one task's logs that were read last.

    Those who follow at the same speed ask for the same pieces; those who come later read up to
    where others began a piece, and go on with them. Nobody's pieces are kept for the slow.
    """

    def __init__(self) -> None:
        self._pieces: OrderedDict[tuple[Path, int], asyncio.Future[Piece | None]] = OrderedDict()

    async def piece(self, log: Path, start: int, *, over: bool) -> Piece | None:
        """The lines from an offset on; ``None`` when there is no whole one yet.

        Args:
            log: the file, which only grows.
            start: the offset.
            over: it grows no more, so that its last line needs no end.
        """
        key = (log, start)
        reading = self._pieces.get(key)
        if reading is None:
            loop = asyncio.get_running_loop()
            most = self._distance(log, start)
            reading = loop.run_in_executor(_READERS, _read, log, start, most, over)
            self._keep(key, reading)
        piece = await asyncio.shield(reading)
        if piece is None and self._pieces.get(key) is reading:
            del self._pieces[key]
        return piece

    def _distance(self, log: Path, start: int) -> int:
        """How far it is to where others began a piece."""
        begun = [at - start for file, at in self._pieces if file == log and at > start]
        return min([*begun, _PIECE])

    def _keep(self, key: tuple[Path, int], reading: asyncio.Future[Piece | None]) -> None:
        self._pieces[key] = reading
        if len(self._pieces) > _KEPT:
            self._pieces.popitem(last=False)


def _read(log: Path, start: int, most: int, over: bool) -> Piece | None:
    try:
        with log.open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), most, start)
            if b"\n" not in data and len(data) == most:
                data = os.pread(file.fileno(), _LONGEST_LINE, start)
    except FileNotFoundError:  # nobody has said anything yet
        return None
    end = data.rfind(b"\n") + 1
    if not end and (over or len(data) == _LONGEST_LINE):
        end = len(data)
    if not end:
        return None
    text = data[:end].decode("utf-8", "replace").removesuffix("\n")
    return Piece(end=start + end, event=event(text, name="lines", id=start + end))
