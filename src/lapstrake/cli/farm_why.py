"""``lapstrake why NUMBER``: what a task of the farm waits for, or why it ended as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapstrake.cli.farm_connect import connect
from lapstrake.cli.farm_rows import task_name
from lapstrake.cli.output import printable, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapstrake.cli.context import AppContext
    from lapstrake.farm.values.attempts import Attempt
    from lapstrake.farm.values.tasks import Task

_INDENT = "  "


def explain_task(app: AppContext, number: int) -> list[str]:
    """A task: how it stands, who must act, what it waits for, what happened to it.

    Raises:
        Unknown: the farm has no such task.
        FarmError: it cannot be reached.
    """
    from lapstrake.farm.model.states import ENDED
    from lapstrake.formats.amounts import time_text

    tasks = connect(app).tasks
    task, waits = tasks.get(number), tasks.why(number)
    is_now = "has ended:" if task.state in ENDED else "is"
    lines = [f"task {task.id} ({printable(task_name(task))}) {is_now} {task.state}"]
    if task.reason:
        lines.append(f"{_INDENT}{printable(task.reason)}")
    if task.state in ENDED:
        lines += [f"{_INDENT}{line}" for line in _course(task, tasks.attempts(number))]
    elif task.holder:
        until = f", until {time_text(task.deadline)}" if task.deadline else ""
        lines.append(f"{_INDENT}next to act: {task.holder}{until}")
    if waits:
        lines += ["", "why it waits"]
    for wait in waits:
        also = "" if wait.task is None or wait.advice else f" (`lapstrake why {wait.task}`)"
        lines.append(f"{_INDENT}{printable(wait.reason)}{also}")
        if wait.advice:
            lines.append(f"{_INDENT}→ {printable(wait.advice)}")
    events = tasks.events(number)
    if events:
        lines += ["", "what happened"]
        rows = [(time_text(each.at), printable(each.text or each.kind)) for each in events]
        lines += [f"{_INDENT}{line}" for line in table(rows).splitlines()]
    return lines


def _course(task: Task, attempts: Sequence[Attempt]) -> Iterator[str]:
    """How a task went that has ended: what took how long, what failed, where to read on."""
    from lapstrake.formats.amounts import duration_text

    if task.same_as is not None:
        yield f"its result is that of task {task.same_as}"
        return
    if not task.started:
        yield f"it ended after {duration_text(task.finished - task.created)}, before it was begun"
        return
    yield (
        f"waited {duration_text(task.started - task.created)}, "
        f"took {duration_text(task.finished - task.started)}"
    )
    for each in attempts:
        took = duration_text(each.finished - each.started)
        yield f"attempt {each.number} on {each.worker}: {each.ending} after {took}{_used(each)}"
        if each.error:
            step = f" in the step {each.step!r}" if each.step else ""
            yield f"{_INDENT}exit code {each.exit_code}{step}: {printable(each.error)}"
    if attempts:
        yield f"its log: lapstrake task log {task.id}"


def _used(attempt: Attempt) -> str:
    """What an attempt used, if that was measured."""
    from lapstrake.formats.amounts import duration_text, size_text

    peaks = attempt.peaks
    if not peaks.memory:
        return ""
    processor = duration_text(peaks.cpu_seconds)
    return f", {processor} of processor, {size_text(peaks.memory)} of memory"
