"""The desk's counter for workers' slots: to claim tasks and to tell how they go."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from lapstrake.farm.desk import flow
from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.desk.change import (
    hear,
    held_task,
    known_attempt,
    known_task,
    known_worker,
)
from lapstrake.farm.desk.values import attempt_of, spec_of, task_of
from lapstrake.farm.engine.base import Executor, RunId
from lapstrake.farm.model import processors, states
from lapstrake.farm.problems import Invalid, WrongState
from lapstrake.farm.tables.rows import AttemptRow, TaskRow, WorkerRow
from lapstrake.farm.values.attempts import Attempt, Job, ResourceSample
from lapstrake.farm.values.tasks import Task, TaskState
from lapstrake.farm.values.workers import WorkerState

_MOST_SAMPLES = 64 << 20
"""Bytes of an attempt's samples; what comes then is not kept."""


class AttemptDesk(DeskBase):
    """Attempts, their logs and samples."""

    def claim(self, task: int, round: int, worker: str, incarnation: str, executor: str) -> Job:
        """Give a task to a slot that the engine gave its run.

        The same slot may ask again. Another one that has the run now takes it over: the engine
        gave it on, so the one before is lost.

        Raises:
            Unknown: no such task or worker.
            WrongState: there is nothing to do: cancelled, ended, another round; or the slot of
                another worker has it.
        """
        with self._change() as change:
            row = change.task(task)
            host = known_worker(change.session, worker)
            named = Executor.parse(executor)
            if host.incarnation != incarnation or host.state == WorkerState.GONE:
                raise WrongState(f"this is not the {worker} that is registered")
            if named is None or (named.worker, named.incarnation) != (worker, incarnation):
                raise Invalid(f"{executor[:90]!r} is no slot of this worker")
            if host.state == WorkerState.SILENT:
                # Its slots may be back before its next heartbeat: the sweep must not take it away.
                hear(change, host)
            if row.round != round or row.state not in {TaskState.QUEUED, *states.RUNNING}:
                raise WrongState(
                    f"round {round} of task {task} is over: it is {row.state}",
                    fields={"state": row.state},
                )
            if row.state in states.RUNNING:
                before = known_attempt(change.session, task, row.attempt)
                if (before.executor, before.worker) == (executor, worker):
                    return self._job(row)
                self._check_given(RunId(task, round), executor)
                flow.lose(change, row, f"worker {before.worker} lost it")
            if row.state == TaskState.QUEUED:
                row.attempt += 1
                row.worker = worker
                row.cores = _processors(change.session, row, host)
                trial = AttemptRow(
                    task=task,
                    number=row.attempt,
                    round=round,
                    worker=worker,
                    incarnation=incarnation,
                    executor=executor,
                    started=change.now,
                    cores=row.cores,
                )
                change.session.add(trial)
                change.set_state(row, TaskState.FETCHING, f"attempt {row.attempt} on {worker}")
                return self._job(row)
        # Too many workers were lost with it; that is kept, so it is told out here.
        raise WrongState(row.reason, fields={"state": row.state})

    def set_state(self, task: int, attempt: int, state: TaskState) -> Task:
        """Note that an attempt fetches or builds.

        Raises:
            Unknown: no such task or attempt.
            WrongState: the attempt does not hold the task any more (``lost`` in the fields).
            Invalid: another state.
        """
        if state not in states.RUNNING:
            raise Invalid(f"a worker says fetching or building, not {state}")
        with self._change() as change:
            row = held_task(change.session, task, attempt)
            if row.state != state:
                change.set_state(row, state, row.reason)
            return task_of(row)

    def append_log(self, task: int, attempt: int, offset: int, data: bytes) -> int:
        """Add to an attempt's log; gives its size afterwards.

        Raises:
            Unknown: no such task or attempt.
            WrongState: a gap (``size`` in the fields), or the attempt is over (``lost``).
            TooLarge: the log is full; ``size`` in the fields.
        """
        with self.database.read() as session:
            held_task(session, task, attempt)
        return self.journal.append(task, attempt, offset, data)

    def add_samples(self, task: int, attempt: int, samples: Sequence[ResourceSample]) -> None:
        """Keep what an attempt used.

        Raises:
            Unknown, WrongState: as of `append_log`.
        """
        with self.database.read() as session:
            held_task(session, task, attempt)
        path = self.journal.path(task, attempt, "samples")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.journal.size(task, attempt, "samples") > _MOST_SAMPLES:
            return  # weeks of them
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(asdict(sample)) + "\n" for sample in samples))

    def samples(self, task: int, attempt: int) -> tuple[ResourceSample, ...]:
        """What an attempt used, by time.

        Raises:
            Unknown: no such task or attempt.
        """
        with self.database.read() as session:
            known_attempt(session, task, attempt)
        try:
            lines = self.journal.path(task, attempt, "samples").read_text().splitlines()
        except FileNotFoundError:
            return ()
        found: dict[float, ResourceSample] = {}
        for line in lines:
            try:
                sample = ResourceSample(**json.loads(line))
            except (ValueError, TypeError):  # cut off by a crash
                continue
            found[sample.seconds] = sample
        return tuple(found[seconds] for seconds in sorted(found))

    def attempts(self, task: int) -> tuple[Attempt, ...]:
        """A task's attempts, the first first.

        Raises:
            Unknown: no such task.
        """
        with self.database.read() as session:
            known_task(session, task)
            query = select(AttemptRow).where(AttemptRow.task == task).order_by(AttemptRow.number)
            return tuple(
                attempt_of(row, log_size=row.log_size or self.journal.size(task, row.number))
                for row in session.scalars(query)
            )

    def log_path(self, task: int, attempt: int) -> Path:
        """Where an attempt's log is; there is no file before its first line."""
        return self.journal.path(task, attempt)

    def on_log(self, task: int, callback: Callable[[int, int], None]) -> Callable[[], None]:
        """Hear when a task's log grows: attempt and size; gives what ends it."""
        return self.journal.listen(task, callback)

    def _check_given(self, run: RunId, executor: str) -> None:
        """Refuse to take a task from another slot that the engine has not given on."""
        given = next((each for each in self.dispatch.running() if each.run == run), None)
        if given is None or given.executor != executor:
            raise WrongState(
                f"another slot has task {run.task}",
                resolution="There is nothing to do: end the run.",
                fields={"lost": True},
            )

    def _job(self, row: TaskRow) -> Job:
        spec = spec_of(row)
        spec = replace(spec, silence=spec.silence or self.config.farm.silence_limit)
        size = self.contents.size(spec.bundle) if spec.bundle else 0
        return Job(
            task=row.id,
            attempt=row.attempt,
            spec=spec,
            bundle_size=size or 0,
            reserved_cores=row.cores,
            owner=row.owner,
        )


def _processors(session: Session, row: TaskRow, host: WorkerRow) -> int:
    """The processors that a task gets of its worker, see `lapstrake.farm.model.processors`."""
    held = select(TaskRow.cores).where(
        TaskRow.worker == host.name, TaskRow.state.in_(states.RUNNING), TaskRow.id != row.id
    )
    return processors.granted(
        row.cores,
        cores=int(host.facts["cores"]),
        slots=int(host.facts["slots"]),
        others=session.scalars(held).all(),
    )
