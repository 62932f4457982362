"""``lapstrake farm status|workers|drain|forget|queue``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.farm_connect import JSON, connect, json_text
from lapstrake.cli.output import printable, table

if TYPE_CHECKING:
    from lapstrake.farm.values.workers import Worker

_HEADER = ("WORKER", "STATE", "SLOTS", "BUILDS", "CORES", "MEMORY", "DISK FREE", "SEEN", "HAS")
_FREE = {"memory": "memory free", "disk": "disk free"}
_SKEW_SHOWN = 5.0  # seconds


@click.command()
@JSON
@pass_app
def status(app: AppContext, /, as_json: bool) -> None:
    """Show what the farm does."""
    found = connect(app).status()
    if as_json:
        app.output.result(json_text(found))
        return
    rows = [(_FREE.get(name, name), _status_text(name, value)) for name, value in found.items()]
    app.output.result(table([row for row in rows if row[1]]))


@click.command()
@JSON
@pass_app
def workers(app: AppContext, /, as_json: bool) -> None:
    """List the workers, and what they build."""
    found = connect(app).workers()
    if as_json:
        app.output.result(json_text(found))
    elif found:
        app.output.result(table([_row(each) for each in found], header=_HEADER))
        for each in found:
            if abs(each.skew) > _SKEW_SHOWN:
                app.output.warn(f"the clock of {each.facts.name} is {each.skew:+.0f} s off")
    else:
        app.output.say("no worker has come yet")


@click.command()
@click.argument("worker")
@click.option("--off", is_flag=True, help="Let it take builds again.")
@JSON
@pass_app
def drain(app: AppContext, /, worker: str, off: bool, as_json: bool) -> None:
    """Let WORKER finish what it builds, and take nothing new."""
    found = connect(app).drain(worker, on=not off)
    if as_json:
        app.output.result(json_text(found))
    else:
        app.output.say(f"the worker {found.facts.name} is {found.state}")


@click.command()
@click.argument("worker")
@pass_app
def forget(app: AppContext, /, worker: str) -> None:
    """Take WORKER off the list; it must be silent or gone."""
    connect(app).forget(worker)
    app.output.say(f"the worker {worker} is forgotten")


@click.command()
@JSON
@pass_app
def queue(app: AppContext, /, as_json: bool) -> None:
    """Show what waits in each queue, and why."""
    found = connect(app).queue()
    if as_json:
        app.output.result(json_text(found))
    elif found:
        header = ("QUEUE", "WAITING", "RUNNING", "OLDEST", "WHY")
        app.output.result(table([_queue_row(each) for each in found], header=header, right={1, 2}))
    else:
        app.output.say("nothing waits")


def _status_text(name: str, value: object) -> str:
    from lapstrake.formats.amounts import size_text

    match value:
        case int() if name in {"memory", "disk"}:
            return size_text(value)
        case list() if name == "slots":
            return f"{sum(1 for each in value if _is_busy(each))} of {len(value)} busy"
        case list():
            return ", ".join(printable(_brief(each)) for each in value)
        case _:
            return printable(str(value))


def _is_busy(slot: object) -> bool:
    return isinstance(slot, dict) and slot.get("state") == "busy"


def _brief(value: object) -> str:
    """A task in a list: its number."""
    return str(value.get("id", value)) if isinstance(value, dict) else str(value)


def _row(worker: Worker) -> tuple[str, ...]:
    from lapstrake.formats.amounts import age_text, size_text

    facts = worker.facts
    builds = ", ".join(str(slot.task) for slot in worker.slots if slot.task is not None)
    return (
        facts.name, str(worker.state), str(facts.slots), builds, str(facts.cores),
        size_text(facts.memory), size_text(worker.disk_free), age_text(worker.seen), _has(worker),
    )  # fmt: skip


def _has(worker: Worker) -> str:
    """Its architectures, and what tasks may ask of it; what they must ask for comes first."""
    facts = worker.facts
    others = " ".join(word for word in facts.capabilities if word != facts.pool)
    words = f"only {facts.pool}: {others}" if facts.pool else others
    return printable(f"{facts.machines}; {words}" if words else facts.machines)


def _queue_row(row: dict[str, Any]) -> tuple[str, ...]:
    from lapstrake.formats.amounts import age_text

    oldest = row.get("oldest") or 0.0
    reasons = row.get("reasons") or []
    return (
        str(row.get("queue", "")),
        str(row.get("waiting", 0)),
        str(row.get("running", 0)),
        age_text(oldest) if oldest else "",
        printable("; ".join(str(wait.get("reason", "")) for wait in reasons)),
    )
