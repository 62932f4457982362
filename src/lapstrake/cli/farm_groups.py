"""``lapstrake group list|show|wait|cancel|resume``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.errors import message
from lapstrake.cli.farm_connect import JSON, connect, json_text, only_waiting
from lapstrake.cli.farm_rows import state_text
from lapstrake.cli.farm_tasks import NUMBER
from lapstrake.cli.output import printable, table, write_stderr
from lapstrake.errors import TaskError

if TYPE_CHECKING:
    from lapstrake.farm.client.farm import Farm
    from lapstrake.farm.values.groups import Group

_HEADER = ("GROUP", "NAME", "BRANCH", "STATE", "MEMBERS", "OWNER", "SUBMITTED")
_MEMBER_HEADER = ("MEMBER", "TASK", "STATE", "NEEDS, OR WHY")


@click.command("list")
@click.option("--limit", "-n", type=click.IntRange(1, 200), default=20, show_default=True)
@JSON
@pass_app
def list_(app: AppContext, /, limit: int, as_json: bool) -> None:
    """List the groups, the newest first."""
    found = connect(app).groups.page(limit=limit).items
    if as_json:
        app.output.result(json_text(found))
    elif found:
        app.output.result(table([_row(each) for each in found], header=_HEADER))
    else:
        app.output.say("no group yet")


@click.command()
@click.argument("group", type=NUMBER)
@click.option("--follow", "-f", is_flag=True, help="Go on until the group has ended.")
@JSON
@pass_app
def show(app: AppContext, /, group: int, follow: bool, as_json: bool) -> None:
    """Show the members of GROUP: what is built, what waits for what."""
    farm = connect(app)
    found = watch_group(app, farm, group) if follow else farm.groups.get(group)
    if as_json:
        app.output.result(json_text(found))
    elif not follow or not sys.stderr.isatty():
        app.output.result(group_text(found))


@click.command()
@click.argument("group", type=NUMBER)
@JSON
@pass_app
def wait(app: AppContext, /, group: int, as_json: bool) -> int:
    """Wait until GROUP has ended; exit with 32 unless all went well."""
    found = watch_group(app, connect(app), group)
    if as_json:
        app.output.result(json_text(found))
    return tell_group_end(app, found)


@click.command()
@click.argument("group", type=NUMBER)
@JSON
@pass_app
def cancel(app: AppContext, /, group: int, as_json: bool) -> None:
    """Stop all of GROUP, whether it waits or is built."""
    _changed(app, connect(app).groups.cancel(group), as_json=as_json)


@click.command()
@click.argument("group", type=NUMBER)
@JSON
@pass_app
def resume(app: AppContext, /, group: int, as_json: bool) -> None:
    """Build again what failed in GROUP, was cancelled or skipped."""
    _changed(app, connect(app).groups.resume(group), as_json=as_json)


def watch_group(app: AppContext, farm: Farm, group: int) -> Group:
    """Show a group until it has ended: a table that changes on a terminal, lines elsewhere."""
    with (
        only_waiting(app, f"group {group}", f"lapstrake group cancel {group}"),
        _watching(app) as told,
    ):
        return farm.groups.wait(group, on_change=told)


def tell_group_end(app: AppContext, group: Group) -> int:
    """Say how a group ended; gives the exit code."""
    summary = summary_text(group)
    if group.state == "success":
        app.output.say(f"group {group.id}: {summary}")
        return 0
    failed = [each for each in group.members if each.state in {"failed", "error"}]
    details = "\n".join(f"{each.name} (task {each.task}): {each.reason}" for each in failed)
    how = f"See `lapstrake task log TASK`; `lapstrake group resume {group.id}` tries again."
    brief = f"group {group.id} ended as {group.state}: {summary}"
    write_stderr(message(brief, details=details, resolution=how) + "\n")
    return TaskError.exit_code


def summary_text(group: Group) -> str:
    """How many members stand how: ``3 success, 1 building``."""
    counts = Counter(str(each.state) for each in group.members)
    return ", ".join(f"{count} {state}" for state, count in counts.most_common())


def group_text(group: Group) -> str:
    """A group and its members, in the order in which they can be built."""
    from lapstrake.build.group import order

    members = {each.name: each for each in group.members}
    rows = [
        (
            printable(each.name),
            str(each.task),
            state_text(each.state),
            printable(each.reason or ", ".join(each.needs)),
        )
        for each in map(members.__getitem__, order({n: m.needs for n, m in members.items()}))
    ]
    title = f"group {group.id} {printable(group.name)} for {group.branch or '-'}: {group.state}"
    return f"{title} ({summary_text(group)})\n\n{table(rows, header=_MEMBER_HEADER)}"


def _row(group: Group) -> tuple[str, ...]:
    from lapstrake.formats.amounts import age_text

    return (
        str(group.id), printable(group.name), group.branch, str(group.state),
        summary_text(group), printable(group.owner), age_text(group.created),
    )  # fmt: skip


def _changed(app: AppContext, group: Group, *, as_json: bool) -> None:
    if as_json:
        app.output.result(json_text(group))
    else:
        app.output.say(f"group {group.id} is {group.state}: {summary_text(group)}")


@contextmanager
def _watching(app: AppContext) -> Iterator[Callable[[Group], None]]:
    """What shows each state of a group."""
    if not sys.stderr.isatty():
        yield _lines_of_changes(app)
        return
    from rich.console import Console  # slow to import
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield lambda group: live.update(Text.from_ansi(group_text(group)), refresh=True)


def _lines_of_changes(app: AppContext) -> Callable[[Group], None]:
    """Tells each change of a member as a line."""
    before: dict[str, str] = {}

    def tell(group: Group) -> None:
        for each in group.members:
            if before.get(each.name, "waiting") != each.state:
                why = f": {printable(each.reason)}" if each.reason else ""
                app.output.say(f"{printable(each.name)} (task {each.task}): {each.state}{why}")
            before[each.name] = each.state

    return tell
