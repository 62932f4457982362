"""Tasks, as a client has them: submit, look, wait, follow, download."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lapstrake.farm.client.downloads import download
from lapstrake.farm.client.http import Connection
from lapstrake.farm.client.logs import LogFollower, LogText, read_last_lines, read_log
from lapstrake.farm.client.packing import give_bundle
from lapstrake.farm.client.waiting import wait_until
from lapstrake.farm.model.states import ENDED
from lapstrake.farm.values.attempts import Attempt, Peaks, ResourceSample
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import OutputFile, Task, TaskSpec, Wait

_TASKS = "/api/v1/tasks"
_MOST_AT_ONCE = 1000
_ARCHIVE = re.compile(r"(\.tar)?\.(tar|gz|tgz|xz|txz|zst|bz2|zip)\Z")


class Tasks:
    """The tasks of a farm.

    Every method raises what `Connection.call` raises; ``Unknown`` for numbers of no task, and
    ``WrongState`` for what cannot be done with a task as it stands.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def submit(self, spec: TaskSpec, *, priority: int = 0, bundle: Path | None = None) -> Task:
        """Have something built.

        Args:
            spec: what, and how.
            priority: -100 to 100, the larger the sooner.
            bundle: a folder (or an archive of one) here, which is sent unless the server has it;
                it becomes the spec's `TaskSpec.bundle`, and gives it a name if it has none.
        """
        if bundle is not None:
            spec = self.with_bundle(spec, bundle)
        return self._connection.send(Task, "POST", _TASKS, {"spec": spec, "priority": priority})

    def submit_many(self, specs: Iterable[TaskSpec], *, priority: int = 0) -> tuple[Task, ...]:
        """Have many things built; all of a thousand are taken, or none."""
        bodies = [{"spec": spec, "priority": priority} for spec in specs]
        made: list[Task] = []
        for begin in range(0, len(bodies), _MOST_AT_ONCE):
            body = {"tasks": bodies[begin : begin + _MOST_AT_ONCE]}
            made += self._connection.send(list[Task], "POST", f"{_TASKS}/batch", body)
        return tuple(made)

    def with_bundle(self, spec: TaskSpec, bundle: Path) -> TaskSpec:
        """Give the server a bundle's folder or archive; gives the spec that builds it."""
        digest = give_bundle(self._connection, bundle)
        return replace(spec, bundle=digest, name=spec.name or _name_of(bundle))

    def get(self, task: int) -> Task:
        """One task."""
        return self._connection.get(Task, f"{_TASKS}/{task}")

    def page(self, *, after: str | None = None, limit: int = 50, **wanted: object) -> Page[Task]:
        """Some tasks, newest first.

        Args:
            after: where the page before ended, its `Page.next`.
            limit: at most so many, up to 200.
            wanted: only tasks of this ``state``, ``branch``, ``group``, ``name``, ``owner`` or
                ``worker``.
        """
        path = _TASKS
        return self._connection.get(Page[Task], path, after=after, limit=limit, **wanted)

    def all(self, **wanted: object) -> Iterator[Task]:
        """All tasks, newest first, page by page; `wanted` as of `page`."""
        return self._connection.pages(Task, _TASKS, **wanted)

    def attempts(self, task: int) -> tuple[Attempt, ...]:
        """The workers' tries, oldest first."""
        return tuple(self._connection.get(list[Attempt], f"{_TASKS}/{task}/attempts"))

    def why(self, task: int) -> tuple[Wait, ...]:
        """Why it waits, and what would end that; empty when it does not."""
        return tuple(self._connection.get(list[Wait], f"{_TASKS}/{task}/why"))

    def events(self, task: int) -> tuple[Event, ...]:
        """What happened to it, oldest first."""
        return tuple(self._connection.pages(Event, f"{_TASKS}/{task}/events"))

    def cancel(self, task: int, reason: str = "") -> Task:
        """Stop it, whether it waits or is built."""
        return self._change("POST", task, "cancel", {"reason": reason})

    def retry(self, task: int, *, keep_failed: bool = False) -> Task:
        """Build it again, after it ended; on wish keep the build folder if it fails once more."""
        return self._change("POST", task, "retry", {"keep_failed": True} if keep_failed else {})

    def set_priority(self, task: int, priority: int) -> Task:
        """Let it go before others, or after; -100 to 100."""
        return self._change("PUT", task, "priority", {"priority": priority})

    def wait(
        self,
        task: int,
        *,
        seconds: float | None = None,
        on_change: Callable[[Task], None] = lambda _task: None,
    ) -> Task:
        """Wait until a task has ended.

        Args:
            task: which.
            seconds: give up waiting after so many; the task goes on.
            on_change: told of each state that is seen, the first one too.

        Raises:
            TimeoutError: it has not ended in that time.
        """
        return wait_until(
            lambda: self.get(task),
            lambda seen: seen.state in ENDED,
            what=f"task {task}",
            seconds=seconds,
            on_change=on_change,
            differs=lambda before, seen: before.state != seen.state,
        )

    def log(self, task: int, *, attempt: int | None = None, lines: int | None = None) -> LogText:
        """A task's log as far as it is.

        Args:
            task: which.
            attempt: of this attempt; the newest when ``None``.
            lines: only the last ones, so many.
        """
        if lines is None:
            return read_log(self._connection, task, attempt=attempt)
        return read_last_lines(self._connection, task, lines, attempt=attempt)

    def follow(
        self, task: int, *, attempt: int = 0, offset: int = 0, patience: float = 300.0
    ) -> LogFollower:
        """A task's log while it grows; see `LogFollower`."""
        return LogFollower(
            self._connection, task, attempt=attempt, offset=offset, patience=patience
        )

    def resources(
        self, task: int, *, attempt: int | None = None
    ) -> tuple[tuple[ResourceSample, ...], Peaks]:
        """What an attempt (the newest one when ``None``) used over time, and its peaks."""
        path = f"{_TASKS}/{task}/resources"
        found = self._connection.get(_Resources, path, attempt=attempt)
        return found.samples, found.peaks

    def artifacts(self, task: int) -> tuple[OutputFile, ...]:
        """The files that it made."""
        return tuple(self._connection.get(list[OutputFile], f"{_TASKS}/{task}/artifacts"))

    def download(self, task: int, folder: Path) -> tuple[Path, ...]:
        """Download the files that a task made, verified; those that are there already are kept.

        Raises:
            ChecksumError: the bytes are not what the server said, twice.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(
            download(self._connection, f"{_TASKS}/{task}/artifacts/{output.name}", output, folder)
            for output in self.artifacts(task)
        )

    def _change(self, method: str, task: int, verb: str, body: Mapping[str, object]) -> Task:
        return self._connection.send(Task, method, f"{_TASKS}/{task}/{verb}", body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resources:
    """The answer of ``GET tasks/ID/resources``."""

    samples: tuple[ResourceSample, ...] = ()
    peaks: Peaks = field(default_factory=Peaks)


def _name_of(bundle: Path) -> str:
    """What a folder's or an archive's name says that it is."""
    name = bundle.resolve().name
    return name if bundle.is_dir() else _ARCHIVE.sub("", name) or name
