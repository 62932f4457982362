"""Making what is asked for, once for all who wait, in a process of its own.

A making is one task of this process and one lock between processes; so many at a time run, the
others wait their turn. It is carried out by a child, so that whatever goes wrong in it leaves the
server alone. Clients may come and go: a making that has begun is finished, or its time is over.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lapstrake.errors import LapstrakeError, StoreError
from lapstrake.host.followed import Ended, follow
from lapstrake.host.locks import locked
from lapstrake.registry.demand.failures import child_problem, late_problem, waited_problem
from lapstrake.registry.demand.jobs import Jobs, JobWriter, State, entered
from lapstrake.registry.problems import Problem

T = TypeVar("T")

_HEADLINE = b">>> "
_POLL_SECONDS = 0.05
_MOST_WAITING = 200
"""Of makings in one process: who asks for ever new names must not fill memory and disk."""
_REMEMBERED_SECONDS = 1.0
"""How long an answer is given again: docker asks by HEAD, and by GET right after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Generic[T]):
    """Something to be made.

    Attributes:
        key: equal orders have equal keys; safe as a file name.
        name: for people.
        line: what the child reads: JSON on one line.
        find: gives what was made, if it is there.
        read: the same from the child's answer.
    """

    key: str
    name: str
    line: bytes
    find: Callable[[], Awaitable[T | None]]
    read: Callable[[Mapping[str, Any]], T]


class Workshop:
    """Where makings happen.

    Args:
        jobs: what is told of them.
        locks: the folder of the locks between processes.
        command: the child's command line.
        at_once: how many children run at a time, of all processes together.
        timeout: the most seconds a making takes, and a client waits.
    """

    def __init__(
        self, jobs: Jobs, *, locks: Path, command: Sequence[str], at_once: int, timeout: float
    ) -> None:
        self.jobs = jobs
        self._locks = locks
        self._command = tuple(command)
        self._at_once = at_once
        self._timeout = timeout
        self._recent: dict[str, tuple[float, asyncio.Task[Any]]] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._running: dict[str, JobWriter] = {}

    async def make(self, order: Order[T]) -> T:
        """Wait until something is made.

        Raises:
            Problem: it cannot be made, or not in time.
        """
        task = self._tasks.get(order.key) or self._remembered(order.key)
        if task is None:
            if len(self._tasks) >= _MOST_WAITING:
                message = f"{order.name}: {len(self._tasks)} others wait to be made; pull again"
                raise Problem(429, "TOOMANYREQUESTS", message)
            task = asyncio.create_task(self._once(order), name=f"making {order.name}")
            self._tasks[order.key] = task
            task.add_done_callback(lambda done: self._forget(order.key, done))
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._timeout)
        except TimeoutError:
            if self._is_ending(order.key):
                return await asyncio.shield(task)  # which tells more
            raise self._waited(order) from None

    async def stop(self) -> None:
        """End all that runs."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _remembered(self, key: str) -> asyncio.Task[Any] | None:
        """What ended a moment ago."""
        latest = time.monotonic() - _REMEMBERED_SECONDS
        self._recent = {each: row for each, row in self._recent.items() if row[0] >= latest}
        return self._recent[key][1] if key in self._recent else None

    def _forget(self, key: str, task: asyncio.Task[Any]) -> None:
        """It has ended; a crash is no answer that another one may not better."""
        self._tasks.pop(key, None)
        failed = None if task.cancelled() else task.exception()
        if not task.cancelled() and (failed is None or _is_answer(failed)):
            self._recent[key] = (time.monotonic(), task)

    async def _once(self, order: Order[T]) -> T:
        """Make it unless another process did meanwhile."""
        async with AsyncExitStack() as stack:
            await self._lock(order, stack)
            found = await order.find()
            if found is not None:
                return found
            try:
                writer = stack.enter_context(entered(self.jobs, order.name))
            except (OSError, LapstrakeError) as refused:
                message = f"{order.name}: the queue cannot be written: {refused}"
                raise Problem(500, "UNKNOWN", message) from refused
            self._running[order.key] = writer
            stack.callback(self._running.pop, order.key)
            return await self._queue_and_run(order, writer)

    async def _lock(self, order: Order[T], stack: AsyncExitStack) -> None:
        """Keep other processes from making the same; without a thread that waits."""
        path = self._locks / order.key
        while True:
            try:
                stack.enter_context(locked(path, what=order.name, timeout=0))
            except StoreError as refused:
                if isinstance(refused.__cause__, OSError):  # not held: it cannot be made
                    raise Problem(500, "UNKNOWN", refused.brief) from refused
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    async def _queue_and_run(self, order: Order[T], writer: JobWriter) -> T:
        try:
            made = await self._run(order, writer)
        except Problem as problem:
            self._note_failure(writer, problem)
            raise
        except asyncio.CancelledError:
            writer.change(state=State.FAILED, ended=time.time(), brief="the server was stopped")
            raise
        writer.change(state=State.MADE, ended=time.time())
        return made

    async def _run(self, order: Order[T], writer: JobWriter) -> T:
        """Wait for its turn, and have the child do it."""
        try:
            while (before := self.jobs.position(writer.job.number)) >= self._at_once:
                await asyncio.sleep(_POLL_SECONDS * (1 + before - self._at_once))
            writer.change(state=State.RUNNING, started=time.time())
            ended = await follow(
                self._command,
                line=order.line,
                on_output=_Listener(writer),
                timeout=self._timeout,
            )
            return self._judge(order, writer, ended)
        except (OSError, ValueError) as failed:
            raise Problem(500, "UNKNOWN", f"{order.name}: {failed}") from failed

    def _judge(self, order: Order[T], writer: JobWriter, ended: Ended) -> T:
        """What the child made, or why it did not."""
        log = self.jobs.tail(writer.job.number)
        if ended.late:
            raise late_problem(writer.job, log, seconds=self._timeout)
        answer = _answer(ended.output)
        if ended.status != 0 or "made" not in answer:
            raise child_problem(writer.job, log, ended.status, answer)
        return order.read(answer["made"])

    def _note_failure(self, writer: JobWriter, problem: Problem) -> None:
        detail = problem.detail if isinstance(problem.detail, dict) else {}
        writer.change(
            state=State.FAILED,
            ended=time.time(),
            brief=problem.message.removeprefix(f"{writer.job.name}: "),
            details=str(detail.get("details", "")),
            missing=tuple(detail.get("not_found", ())),
        )

    def _is_ending(self, key: str) -> bool:
        """Whether a making's own time is over, too, or nearly."""
        writer = self._running.get(key)
        started = writer.job.started if writer else 0.0
        return started > 0 and time.time() - started > self._timeout - 1

    def _waited(self, order: Order[T]) -> Problem:
        writer = self._running.get(order.key)
        job = writer.job if writer else None
        before = self.jobs.position(job.number) if job else 0
        log = self.jobs.tail(job.number) if job else ""
        return waited_problem(order.name, job, log, seconds=self._timeout, before=before)


def _is_answer(failed: BaseException) -> bool:
    return isinstance(failed, Problem) and failed.status < 500


class _Listener:
    """Logs what a child says, and keeps its last headline."""

    def __init__(self, writer: JobWriter) -> None:
        self._writer = writer
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        self._writer.write(data)
        whole, _, self._rest = (self._rest + data).rpartition(b"\n")
        self._rest = self._rest[-4096:]
        steps = [line for line in whole.split(b"\n") if line.startswith(_HEADLINE)]
        if steps:
            step = steps[-1].removeprefix(_HEADLINE).decode("utf-8", "replace").strip()
            self._writer.change(step=step)


def _answer(output: bytes) -> Mapping[str, Any]:
    """What the child printed; empty when it ended before it could."""
    try:
        document = json.loads(output)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
