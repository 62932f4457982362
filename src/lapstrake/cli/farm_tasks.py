"""``lapstrake task list|show|cancel|retry|priority``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.farm_connect import JSON, connect, json_text
from lapstrake.cli.farm_rows import TASK_HEADER, state_text, task_name, task_row, took_text
from lapstrake.cli.output import printable, table
from lapstrake.farm.values.tasks import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapstrake.farm.values.attempts import Attempt
    from lapstrake.farm.values.tasks import Task

NUMBER = click.IntRange(1)
"""A task's or group's number on the command line."""


@click.command("list")
@click.option(
    "--state",
    type=click.Choice([str(state) for state in TaskState]),
    help="Only tasks in this state.",
)
@click.option("--branch", help="Only tasks for this branch.")
@click.option("--name", help="Only tasks of this name.")
@click.option("--group", type=NUMBER, help="Only members of this group.")
@click.option("--owner", help="Only tasks that this token submitted.")
@click.option("--worker", help="Only tasks that this worker builds or built.")
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True)
@JSON
@pass_app
def list_(app: AppContext, /, limit: int, as_json: bool, **wanted: Any) -> None:  # noqa: ANN401
    """List the tasks, the newest first."""
    found = list(islice(connect(app).tasks.all(**wanted), limit))
    if as_json:
        app.output.result(json_text(found))
    elif found:
        app.output.result(table([task_row(task) for task in found], header=TASK_HEADER, right={6}))
    else:
        app.output.say("no such task yet")


@click.command()
@click.argument("task", type=NUMBER)
@JSON
@pass_app
def show(app: AppContext, /, task: int, as_json: bool) -> None:
    """Show all that is known of TASK."""
    tasks = connect(app).tasks
    found, attempts = tasks.get(task), tasks.attempts(task)
    if as_json:
        app.output.result(json_text({"task": found, "attempts": attempts}))
        return
    app.output.result(table(list(_facts(found))))
    if attempts:
        header = ("ATTEMPT", "WORKER", "TOOK", "ENDING", "WHY")
        app.output.result("\n" + table([_attempt_row(each) for each in attempts], header=header))


@click.command()
@click.argument("numbers", nargs=-1, required=True, type=NUMBER, metavar="TASK...")
@click.option("--reason", default="", help="Why, for those who look later.")
@JSON
@pass_app
def cancel(app: AppContext, /, numbers: tuple[int, ...], reason: str, as_json: bool) -> None:
    """Stop each TASK, whether it waits or is built."""
    tasks = connect(app).tasks
    _change(app, numbers, lambda number: tasks.cancel(number, reason), as_json=as_json)


@click.command()
@click.argument("numbers", nargs=-1, required=True, type=NUMBER, metavar="TASK...")
@click.option("--keep-failed", is_flag=True, help="If it fails once more, keep its build folder.")
@JSON
@pass_app
def retry(app: AppContext, /, numbers: tuple[int, ...], keep_failed: bool, as_json: bool) -> None:
    """Build each TASK again that has failed, or was cancelled, skipped or lost."""
    tasks = connect(app).tasks
    _change(
        app, numbers, lambda number: tasks.retry(number, keep_failed=keep_failed), as_json=as_json
    )


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("task", type=NUMBER)
@click.argument("priority", type=click.IntRange(-100, 100))
@JSON
@pass_app
def priority(app: AppContext, /, task: int, priority: int, as_json: bool) -> None:
    """Let TASK go before others, or after: PRIORITY is from -100 to 100, the larger the sooner."""
    tasks = connect(app).tasks
    _change(app, (task,), lambda number: tasks.set_priority(number, priority), as_json=as_json)


def _change(
    app: AppContext, numbers: tuple[int, ...], change: Callable[[int], Task], *, as_json: bool
) -> None:
    """Change each task; the first that refuses ends it."""
    changed = []
    for number in numbers:
        task = change(number)
        changed.append(task)
        if not as_json:
            reason = f": {printable(task.reason)}" if task.reason else ""
            app.output.say(f"task {task.id} is {task.state}{reason}")
    if as_json:
        app.output.result(json_text(changed))


def _facts(task: Task) -> Iterator[tuple[str, str]]:
    from lapstrake.formats.amounts import size_text, time_text

    spec = task.spec
    yield "task", f"{task.id}: {printable(task_name(task))}"
    yield "state", state_text(task.state)
    if task.reason:
        yield "why", printable(task.reason)
    if task.holder:
        yield "next to act", task.holder
    if task.deadline:
        yield "until", time_text(task.deadline)
    yield "branch", spec.branch or "-"
    yield "arch", f"{spec.arch} for {spec.target}" if spec.target else spec.arch or "-"
    yield "priority", str(task.priority)
    yield "owner", printable(task.owner) or "-"
    if task.group is not None:
        yield "group", f"{task.group}, as {printable(task.member)}"
    if task.same_as is not None:
        yield "same as", f"task {task.same_as}"
    yield "submitted", time_text(task.created)
    if task.started:
        yield "took", took_text(task)
    if task.worker:
        yield "worker", f"{task.worker}, attempt {task.attempt}"
    if task.exit_code:
        yield "exit code", str(task.exit_code)
    for output in task.outputs:
        yield "made", f"{printable(output.name)} ({size_text(output.size)})"


def _attempt_row(attempt: Attempt) -> tuple[str, ...]:
    from lapstrake.formats.amounts import duration_text

    took = duration_text(attempt.finished - attempt.started) if attempt.finished else "runs"
    ending = f"{attempt.ending} ({attempt.exit_code})" if attempt.exit_code else attempt.ending
    return (str(attempt.number), attempt.worker, took, ending, printable(attempt.error))
