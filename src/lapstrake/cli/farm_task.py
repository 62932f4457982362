"""``lapstrake task``: builds on the farm."""

from __future__ import annotations

import click

from lapstrake.cli.lazy import LazyGroup, row

ROWS = (
    row("submit", "farm_submit:submit", "Have a bundle or an artifact built on the farm."),
    row("wait", "farm_submit:wait", "Wait until a task has ended; exit as the build did."),
    row("list", "farm_tasks:list_", "List the tasks, the newest first."),
    row("show", "farm_tasks:show", "Show all that is known of a task."),
    row("log", "farm_log:log", "Show a task's log, also while it grows."),
    row("cancel", "farm_tasks:cancel", "Stop tasks, whether they wait or are built."),
    row("retry", "farm_tasks:retry", "Build tasks again that have ended."),
    row("priority", "farm_tasks:priority", "Let a task go before others, or after."),
    row("artifacts", "farm_artifacts:artifacts", "List or download what a task made."),
)
"""The commands about tasks; the modules are imported when their command runs."""


@click.group(cls=LazyGroup, rows=ROWS)
def task() -> None:
    """Builds on the farm: submit them, follow them, get what they made.

    The farm is `farm.server` of the configuration ($LAPSTRAKE_SERVER), the token comes from
    $LAPSTRAKE_TOKEN or the file `farm.token_file`.
    """
