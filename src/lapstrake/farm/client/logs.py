"""A task's log while it grows: no line lost, none doubled, whatever breaks in between."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lapstrake.errors import FarmError
from lapstrake.farm.client.answer import UnreachableError
from lapstrake.farm.client.http import Connection
from lapstrake.farm.client.streams import ServerEvent, server_events
from lapstrake.farm.problems import TooMany, Unavailable
from lapstrake.farm.values.tasks import TaskState

_PAUSE = 0.5
_BYTES_PER_LINE = 200  # most are shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPiece:
    """Some lines of a log.

    Attributes:
        attempt: whose log it is; a task whose worker is lost has another attempt, and log.
        end: the byte after these lines, in that attempt's log.
        lines: without their ends.
    """

    attempt: int
    end: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogText:
    """A log, or the end of one, as it was at a moment.

    Attributes:
        attempt: whose log it is.
        end: the byte after it, in that attempt's log.
        data: the bytes.
        complete: whether nothing more will come.
    """

    attempt: int
    end: int
    data: bytes
    complete: bool


def read_log(
    connection: Connection, task: int, *, attempt: int | None = None, last: int | None = None
) -> LogText:
    """A task's log as far as it is.

    Args:
        connection: the server.
        task: the task's number.
        attempt: of this attempt; the newest when ``None``.
        last: only so many of its last bytes.
    """
    headers = {} if last is None else {"Range": f"bytes=-{max(last, 1)}"}
    path, params = f"/api/v1/tasks/{task}/log", {"attempt": attempt}
    answer = connection.call("GET", path, params=params, headers=headers, allowed={416})
    data = b"" if answer.status_code == 416 else answer.content  # 416: there is nothing yet
    _, _, whole = answer.headers.get("content-range", "").rpartition("/")
    return LogText(
        attempt=int(answer.headers.get("log-attempt", "0")),
        end=int(whole) if whole.isdigit() else len(data),
        data=data,
        complete=answer.headers.get("log-complete") == "true",
    )


def read_last_lines(
    connection: Connection, task: int, lines: int, *, attempt: int | None = None
) -> LogText:
    """The last lines of a log; asks for more of it until there are as many."""
    wanted = lines * _BYTES_PER_LINE
    while True:
        text = read_log(connection, task, attempt=attempt, last=wanted)
        found = text.data.splitlines(keepends=True)
        if len(found) > lines or len(text.data) >= text.end:
            return replace(text, data=b"".join(found[-lines:]))
        wanted *= 4


class LogFollower:
    """Follows one task's log to the task's end; iterate over it.

    Attributes:
        state: how the task ended; ``None`` before.

    Args:
        connection: the server.
        task: the task's number.
        attempt: begin with this one; 0 for the newest.
        offset: begin at this byte of it.
        patience: seconds that the server may be away.

    Raises:
        Unknown: (iterating) there is no such task or attempt.
        UnreachableError: (iterating) the server was away for too long.
    """

    def __init__(
        self,
        connection: Connection,
        task: int,
        *,
        attempt: int = 0,
        offset: int = 0,
        patience: float = 300.0,
    ) -> None:
        self.state: TaskState | None = None
        self._connection = connection
        self._task = task
        self._attempt = attempt
        self._end = offset
        self._patience = patience
        self._reached = 0.0

    def __iter__(self) -> Iterator[LogPiece]:
        """What there is, then what comes."""
        self._reached = time.monotonic()
        while True:
            try:
                for event in self._stream():
                    if event.kind == "end":
                        self.state = TaskState(str(_field(event, "state")))
                        return
                    piece = self._take(event)
                    if piece is not None:
                        yield piece
            except (UnreachableError, TooMany, Unavailable):
                if time.monotonic() - self._reached > self._patience:
                    raise
            time.sleep(_PAUSE)  # the stream broke, or ended without the task's end

    def _stream(self) -> Iterator[ServerEvent]:
        """One connection's events, from where we are."""
        headers = {"Accept": "text/event-stream"}
        if self._attempt and self._end:
            headers["Last-Event-ID"] = str(self._end)
        params = {"attempt": self._attempt or None, "offset": self._end or None}
        path = f"/api/v1/tasks/{self._task}/log/events"
        with self._connection.open("GET", path, params=params, headers=headers) as response:
            yield from server_events(self._noted(response.iter_raw()))

    def _noted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes, each of which shows that the server is there: comments, too."""
        self._reached = time.monotonic()
        for piece in pieces:
            self._reached = time.monotonic()
            yield piece

    def _take(self, event: ServerEvent) -> LogPiece | None:
        match event.kind:
            case "lines":
                end = _whole_number(event.id)
                if end <= self._end:
                    return None  # seen before the connection broke
                self._end = end
                return LogPiece(attempt=self._attempt, end=end, lines=event.data)
            case "attempt":
                number = _whole_number(_field(event, "attempt"))
                if number != self._attempt:
                    self._end = 0 if self._attempt else self._end
                    self._attempt = number
        return None


def _field(event: ServerEvent, name: str) -> object:
    try:
        return json.loads("\n".join(event.data))[name]
    except (ValueError, KeyError, TypeError) as wrong:
        raise FarmError(f"the log's stream has an event {event.kind!r} without {name!r}") from wrong


def _whole_number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError as wrong:
        raise FarmError(f"the log's stream has {value!r} where a number belongs") from wrong
