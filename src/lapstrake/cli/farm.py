"""``lapstrake farm``: look at a farm, and run one."""

from __future__ import annotations

import click

from lapstrake.cli.lazy import CommandRow, LazyGroup

_LOOKING, _RUNNING = "Looking (over the network)", "Running (on the server's machine)"


def _row(name: str, target: str, section: str, text: str) -> CommandRow:
    return CommandRow(name=name, target=f"lapstrake.cli.{target}", help=text, section=section)


ROWS = (
    _row("status", "farm_fleet:status", _LOOKING, "Show what the farm does."),
    _row("workers", "farm_fleet:workers", _LOOKING, "List the workers and what they build."),
    _row("drain", "farm_fleet:drain", _LOOKING, "Let a worker finish, and take nothing new."),
    _row("forget", "farm_fleet:forget", _LOOKING, "Take a worker that is gone off the list."),
    _row("queue", "farm_fleet:queue", _LOOKING, "Show what waits in each queue, and why."),
    _row("token", "farm_token:token", _RUNNING, "Add, list and remove tokens."),
    _row("migrate", "farm_operations:migrate", _RUNNING, "Bring the database to this version."),
    _row("backup", "farm_operations:backup", _RUNNING, "Write all that the server has to a file."),
    _row("restore", "farm_operations:restore", _RUNNING, "Bring a backup back."),
    _row("units", "farm_operations:units", _RUNNING, "Print or install systemd's units."),
    _row("database-role", "farm_operations:database_role", _RUNNING,
         "Make the workers' role of a PostgreSQL database."),
)  # fmt: skip
"""The commands about the farm; the modules are imported when their command runs."""


@click.group(cls=LazyGroup, rows=ROWS)
def farm() -> None:
    """Look at a farm, and run one: workers, queues, tokens, databases, backups."""
