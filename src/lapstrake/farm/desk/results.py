"""The desk's counter for what slots bring: an attempt's result, and its publication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from lapstrake.errors import LapstrakeError
from lapstrake.farm.desk import flow
from lapstrake.farm.desk.base import DeskBase, log
from lapstrake.farm.desk.change import held_task, known_attempt, known_task
from lapstrake.farm.desk.values import spec_of, task_of
from lapstrake.farm.problems import Invalid, NoRoom, Unavailable
from lapstrake.farm.tables.rows import AttemptRow
from lapstrake.farm.values.attempts import Result
from lapstrake.farm.values.tasks import OutputFile, Task, TaskState


class ResultDesk(DeskBase):
    """Results of attempts, and what becomes of them."""

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
            row = held_task(change.session, task, attempt)
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


def _note(trial: AttemptRow, result: Result, now: float, log_size: int) -> None:
    trial.ending, trial.finished = "success" if result.ok else "failed", now
    trial.error, trial.details = result.error, result.details
    trial.exit_code, trial.step = result.exit_code, result.step
    trial.peaks, trial.inputs = asdict(result.peaks), dict(result.inputs)
    trial.log_size = log_size
