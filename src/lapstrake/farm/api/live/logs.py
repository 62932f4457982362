"""Logs that are followed: one watch for each task, however many follow it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from lapstrake.farm.api.live.log_pieces import LogPieces
from lapstrake.farm.api.live.news import Heard, News, heard
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.model.states import ENDED
from lapstrake.farm.values.tasks import TaskState
from lapstrake.web.events import COMMENT, event

_RETRY = b"retry: 1000\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a task stood when it was last looked at.

    Attributes:
        state: of the task.
        attempts: its attempts' numbers, in order.
        over: those that write no more.
    """

    state: TaskState
    attempts: tuple[int, ...] = ()
    over: frozenset[int] = frozenset()

    def after(self, attempt: int) -> int:
        """The attempt that follows; 0 for none yet."""
        return next((number for number in self.attempts if number > attempt), 0)


def look(desk: Desk, task: int) -> Look:
    """See how a task stands.

    Raises:
        Unknown: there is none.
    """
    state = desk.task(task).state  # first: what an attempt said before its end is there then
    attempts = desk.attempts(task)
    return Look(
        state=state,
        attempts=tuple(each.number for each in attempts),
        over=frozenset(each.number for each in attempts if each.finished),
    )


_UNSEEN = Look(state=TaskState.NEW)
"""Before the first look."""


@dataclass(slots=True)
class Watch:
    """A task that somebody follows.

    Attributes:
        look: how it stands.
        news: told when its log grows, and when it stands otherwise.
        pieces: of its logs.
        followers: how many there are.
        end: ends the watch.
    """

    look: Look
    news: News
    end: Callable[[], None]
    pieces: LogPieces = field(default_factory=LogPieces)
    followers: int = 0


class LogStreams:
    """Everything that is followed. In the loop's thread, but for `Desk`'s calls.

    Args:
        desk: has the tasks and their logs.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._watches: dict[int, Watch] = {}
        self._closed = False

    @property
    def followers(self) -> int:
        """How many follow something."""
        return sum(watch.followers for watch in self._watches.values())

    def close(self) -> None:
        """End all streams; clients come back to whoever serves then."""
        self._closed = True
        for watch in self._watches.values():
            watch.news.wake()

    def quiet(self) -> None:
        """Show that the connections live."""
        for watch in self._watches.values():
            watch.news.wake(Heard.NOTHING)

    async def refresh(self, task: int) -> None:
        """See how a task stands now, if anybody follows it."""
        watch = self._watches.get(task)
        if watch is None:
            return
        watch.look = await run_in_threadpool(look, self._desk, task)
        watch.news.wake()

    async def follow(self, task: int, attempt: int, offset: int) -> AsyncIterator[bytes]:
        """The events of a follower.

        Args:
            task: which; it is there.
            attempt: whose log; 0 for the newest one's, and then those that come.
            offset: bytes of it that the client has.
        """
        watch = await self._enter(task)
        try:
            yield _RETRY
            async for each in self._events(task, watch, attempt, offset):
                yield each
        finally:
            self._leave(task, watch)

    async def _events(
        self, task: int, watch: Watch, attempt: int, offset: int
    ) -> AsyncIterator[bytes]:
        told, quiet_since = 0, time.monotonic()
        while not self._closed:
            now, news = watch.look, watch.news.next
            if not attempt and now.attempts:
                attempt, offset = now.attempts[-1], 0
            if attempt and told != attempt:
                told = attempt
                yield event(json.dumps({"attempt": attempt}), name="attempt")
            over = attempt in now.over
            if attempt:
                log = self._desk.log_path(task, attempt)
                piece = await watch.pieces.piece(log, offset, over=over)
                if piece is not None:
                    offset, quiet_since = piece.end, time.monotonic()
                    yield piece.event
                    continue
            if over and now.after(attempt):
                attempt, offset = now.after(attempt), 0
                continue
            if now.state in ENDED and (over or not attempt):
                yield event(json.dumps({"state": now.state}), name="end")
                return
            if await heard(news) is Heard.NOTHING and time.monotonic() - quiet_since > 1:
                yield COMMENT

    async def _enter(self, task: int) -> Watch:
        watch = self._watches.get(task)
        if watch is not None:
            watch.followers += 1
            return watch
        news = News()
        end = self._desk.on_log(task, lambda attempt, size: news.tell())  # noqa: ARG005
        watch = self._watches[task] = Watch(_UNSEEN, news, end, followers=1)
        try:
            seen = await run_in_threadpool(look, self._desk, task)
        except BaseException:
            self._leave(task, watch)
            raise
        if watch.look is _UNSEEN:  # else an event came meanwhile, and what it saw is newer
            watch.look = seen
            news.wake()
        return watch

    def _leave(self, task: int, watch: Watch) -> None:
        watch.followers -= 1
        if not watch.followers and self._watches.get(task) is watch:
            del self._watches[task]
            watch.end()
