"""News of an attempt on their way to the server: its log, its state, its samples.

The log's file is the buffer: while the server is away it grows there, and nothing is lost.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lapstrake.errors import FarmError
from lapstrake.farm.client.answer import UnreachableError
from lapstrake.farm.problems import (
    NoRoom,
    Problem,
    TooLarge,
    TooMany,
    Unavailable,
    Unknown,
    WrongState,
)
from lapstrake.farm.values.attempts import Job, ResourceSample
from lapstrake.farm.values.tasks import TaskState
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.setup import AttemptFolder

_LOG = logging.getLogger("lapstrake.farm.worker")
_PERIOD = 0.2
_PIECE = 1 << 20
_LONGEST_PAUSE = 5.0
_MOST_SAMPLES = 2400  # two hours' worth: older ones go while the server is away


class Shipper:
    """Sends what is new, in a thread of its own, until it is told that all is there.

    Args:
        link: to the server.
        job: the attempt.
        folder: where its log is.
        on_lost: called when the server says that the attempt is not ours any more.
    """

    def __init__(
        self, link: Link, job: Job, folder: AttemptFolder, on_lost: Callable[[], None]
    ) -> None:
        self._link, self._job, self._folder = link, job, folder
        self._on_lost = on_lost
        self._offset = 0
        self._samples: deque[ResourceSample] = deque(maxlen=_MOST_SAMPLES)
        self._begun = self._full = False
        self._ended = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self._thread.start()

    def add(self, sample: ResourceSample) -> None:
        """Send a sample with what comes next."""
        self._samples.append(sample)

    def finish(self) -> None:
        """Send the rest; returns when the server has it, or does not want it."""
        self._ended.set()
        self._thread.join()

    def give_up(self) -> None:
        """Send nothing more."""
        self._given_up.set()
        self._ended.set()

    def _run(self) -> None:
        pause = _PERIOD
        while not self._given_up.is_set():
            last = self._ended.is_set()
            try:
                sent = self._send()
                if last and sent < _PIECE:
                    return
                pause = 0.0 if sent == _PIECE else _PERIOD
            except (WrongState, Unknown):
                self._on_lost()
                return
            except (UnreachableError, Unavailable, TooMany, NoRoom):
                pause = min(max(pause, _PERIOD) * 2, _LONGEST_PAUSE)
            except Problem as refused:
                _LOG.warning("task %d: its log is refused: %s", self._job.task, refused.brief)
                self._on_lost()
                return
            except FarmError as trouble:  # the server's own
                _LOG.warning("task %d: its log waits: %s", self._job.task, trouble.brief)
                pause = _LONGEST_PAUSE
            self._given_up.wait(pause) if last else self._ended.wait(pause)

    def _send(self) -> int:
        """Send what there is, once; gives how many bytes of the log."""
        if not self._begun and self._folder.begun.exists():
            self._link.set_state(self._job, TaskState.BUILDING)
            self._begun = True
        piece = b"" if self._full else read_piece(self._folder.log, self._offset)
        if piece:
            self._send_piece(piece)
        samples = tuple(self._samples)
        if samples:
            self._send_samples(samples)
        return len(piece)

    def _send_piece(self, piece: bytes) -> None:
        try:
            self._offset = self._link.append_log(self._job, self._offset, piece)
        except TooLarge as full:
            _LOG.warning("task %d: %s", self._job.task, full.brief)
            self._full = True

    def _send_samples(self, samples: tuple[ResourceSample, ...]) -> None:
        """Samples are nice to have: what the server does not take is dropped."""
        try:
            self._link.add_samples(self._job, samples)
        except (WrongState, Unavailable, TooMany):
            raise
        except Problem:
            pass
        for _ in samples:
            self._samples.popleft()


def read_piece(log: Path, offset: int) -> bytes:
    """What a log has from an offset on, at most a piece; nothing while there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(offset)
            return file.read(_PIECE)
    except FileNotFoundError:
        return b""
