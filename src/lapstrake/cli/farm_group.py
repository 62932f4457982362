"""``lapstrake group``: builds on the farm that need each other."""

from __future__ import annotations

import click

from lapstrake.cli.lazy import LazyGroup, row

ROWS = (
    row("submit", "farm_group_submit:submit", "Have bundles built, each after what it needs."),
    row("list", "farm_groups:list_", "List the groups, the newest first."),
    row("show", "farm_groups:show", "Show a group's members, also while they are built."),
    row("wait", "farm_groups:wait", "Wait until a group has ended."),
    row("cancel", "farm_groups:cancel", "Stop a whole group."),
    row("resume", "farm_groups:resume", "Build again what failed in a group, and what needs it."),
)
"""The commands about groups; the modules are imported when their command runs."""


@click.group(cls=LazyGroup, rows=ROWS)
def group() -> None:
    """Bundles on the farm that need each other: each is built once what it needs is published."""
