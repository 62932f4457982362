"""``lapstrake why NUMBER``: what a task of the farm waits for, or why it ended as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapstrake.cli.farm_connect import connect
from lapstrake.cli.farm_rows import task_name
from lapstrake.cli.output import printable

if TYPE_CHECKING:
    from lapstrake.cli.context import AppContext

_INDENT = "  "


def explain_task(app: AppContext, number: int) -> list[str]:
    """A task: how it stands, who must act, what it waits for, what happened to it.

    Raises:
        Unknown: the farm has no such task.
        FarmError: it cannot be reached.
    """
    from lapstrake.farm.model.states import ENDED
    from lapstrake.formats.amounts import age_text, time_text

    tasks = connect(app).tasks
    task, waits = tasks.get(number), tasks.why(number)
    lines = [f"task {task.id} ({printable(task_name(task))}) is {task.state}"]
    if task.reason:
        lines.append(f"{_INDENT}{printable(task.reason)}")
    if task.holder and task.state not in ENDED:
        until = f", until {time_text(task.deadline)}" if task.deadline else ""
        lines.append(f"{_INDENT}next to act: {task.holder}{until}")
    for wait in waits:
        lines += ["", f"because {printable(wait.reason)}"]
        if wait.task is not None:
            lines.append(f"{_INDENT}see `lapstrake why {wait.task}`")
        if wait.advice:
            lines.append(f"{_INDENT}→ {printable(wait.advice)}")
    events = tasks.events(number)
    if events:
        lines += ["", "what happened"]
        lines += [
            f"{_INDENT}{time_text(each.at)}  {printable(each.text or each.kind)}" for each in events
        ]
        lines[-1] += f" ({age_text(events[-1].at)})"
    return lines
