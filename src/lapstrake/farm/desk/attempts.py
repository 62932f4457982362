"""The desk's counter for workers' slots: to claim tasks, tell how they go, bring results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from lapstrake.errors import LapstrakeError
from lapstrake.farm.desk import flow
from lapstrake.farm.desk.base import DeskBase, log
from lapstrake.farm.desk.change import hear, known_attempt, known_task, known_worker
from lapstrake.farm.desk.values import attempt_of, spec_of, task_of
from lapstrake.farm.engine.base import Executor, RunId
from lapstrake.farm.model import states
from lapstrake.farm.problems import Invalid, NoRoom, Unavailable, WrongState
from lapstrake.farm.tables.rows import AttemptRow, TaskRow
from lapstrake.farm.values.attempts import Attempt, Job, ResourceSample, Result
from lapstrake.farm.values.tasks import OutputFile, Task, TaskState
from lapstrake.farm.values.workers import WorkerState

_MOST_SAMPLES = 64 << 20
"""Bytes of an attempt's samples; what comes then is not kept."""


class AttemptDesk(DeskBase):
    """Attempts, their logs and samples, and what they made."""

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
            row = _held(change.session, task, attempt)
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
            _held(session, task, attempt)
        return self.journal.append(task, attempt, offset, data)

    def add_samples(self, task: int, attempt: int, samples: Sequence[ResourceSample]) -> None:
        """Keep what an attempt used.

        Raises:
            Unknown, WrongState: as of `append_log`.
        """
        with self.database.read() as session:
            _held(session, task, attempt)
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

    def finish(self, task: int, attempt: int, result: Result) -> Task:
        """Take an attempt's result; what it made is published before this returns.

        The same attempt may tell again and gets the task as it is.

        Raises:
            Unknown: no such task or attempt.
            WrongState: it comes too late: the attempt does not hold the task any more.
            Invalid: the server lacks what it says it made.
        """
        self._check_outputs(result.outputs)
        with self._change() as change:
            row = known_task(change.session, task)
            trial = known_attempt(change.session, task, attempt)
            if attempt == row.attempt and trial.ending in {"success", "failed"}:
                return task_of(row)
            row = _held(change.session, task, attempt)
            _note(trial, result, change.now, self.journal.size(task, attempt))
            row.exit_code, row.version = result.exit_code, result.version
            row.outputs = [asdict(output) for output in result.outputs]
            if not result.ok:
                flow.end(change, row, TaskState.FAILED, result.error or "the build failed")
                return task_of(row)
            publishes = spec_of(row).publish
            change.set_state(row, TaskState.PUBLISHING)
            if not publishes:
                flow.end(change, row, TaskState.SUCCESS)
                return task_of(row)
        return self.publish_task(task)

    def publish_task(self, task: int) -> Task:
        """Publish what a task made, if nobody else does; whatever fails is its state then."""
        with self._lock:
            mine = task not in self._publishing
            self._publishing.add(task)
        try:
            before = self.task(task)
            if not mine or before.state is not TaskState.PUBLISHING:
                return before
            state, reason, outputs = self._try_publish(before)
            with self._change() as change:
                row = change.task(task)
                if row.state != TaskState.PUBLISHING:
                    return task_of(row)
                if state is TaskState.PUBLISHING:
                    row.reason = reason
                    return task_of(row)
                row.outputs = [asdict(output) for output in outputs]
                if state is TaskState.FAILED:
                    row.exit_code = 18
                flow.end(change, row, state, reason)
                return task_of(row)
        finally:
            if mine:
                with self._lock:
                    self._publishing.discard(task)

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

    def _check_outputs(self, outputs: Sequence[OutputFile]) -> None:
        for output in outputs:
            if "/" in output.name or output.name in {"", ".", ".."}:
                raise Invalid(f"{output.name!r} is no file's name")
            if self.contents.size(output.digest) != output.size:
                raise Invalid(
                    f"the server lacks {output.name} ({output.digest}, {output.size} bytes)",
                    resolution="Upload it first.",
                )

    def _try_publish(self, task: Task) -> tuple[TaskState, str, Sequence[OutputFile]]:
        try:
            return TaskState.SUCCESS, "", self._publish(task, task.outputs)
        except (Unavailable, NoRoom) as problem:
            log.warning("task %d is published later: %s", task.id, problem.brief)
            return TaskState.PUBLISHING, problem.brief, task.outputs
        except LapstrakeError as error:
            return TaskState.FAILED, f"publishing: {error.brief}", task.outputs
        except Exception:  # noqa: BLE001 - it is logged, and the task must end
            log.exception("publishing task %d", task.id)
            return TaskState.FAILED, "publishing failed; the server's log says why", task.outputs


def _held(session: Session, task: int, attempt: int) -> TaskRow:
    """A task that an attempt still holds.

    Raises:
        WrongState: it does not, with ``lost`` in the fields.
    """
    row = known_task(session, task)
    trial = known_attempt(session, task, attempt)
    if row.attempt != attempt or trial.ending or row.state not in states.RUNNING:
        raise WrongState(
            f"attempt {attempt} does not hold task {task} any more: "
            f"{'it was ' + trial.ending if trial.ending else 'it is over'}",
            resolution="Kill what it runs; report nothing.",
            fields={"lost": True, "state": row.state},
        )
    return row


def _note(trial: AttemptRow, result: Result, now: float, log_size: int) -> None:
    trial.ending, trial.finished = "success" if result.ok else "failed", now
    trial.error, trial.details = result.error, result.details
    trial.exit_code, trial.step = result.exit_code, result.step
    trial.peaks, trial.inputs = asdict(result.peaks), dict(result.inputs)
    trial.log_size = log_size
