"""``lapstrake history``: the builds so far."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table

if TYPE_CHECKING:
    from lapstrake.build.record import BuildRecord


@click.command()
@click.option("--branch", help="Only builds on this branch.")
@click.option("--bundle", help="Only builds of this bundle.")
@click.option(
    "--state",
    type=click.Choice(["running", "succeeded", "failed", "interrupted"]),
    help="Only builds that stand so.",
)
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def history(
    app: AppContext,
    /,
    branch: str | None,
    bundle: str | None,
    state: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the builds so far, the newest first."""
    from lapstrake.build.record import Records

    records = Records(app.config.work_dir / "builds").records()
    matching = (
        record
        for record in records
        if (branch is None or record.branch == branch)
        and (bundle is None or bundle in {record.name, record.bundle})
        and (state is None or record.state == state)
    )
    found = list(islice(matching, limit))
    if as_json:
        app.output.result(json.dumps([asdict(record) for record in found], indent=2))
    elif found:
        header = ("BUILD", "VERSION", "BRANCH", "STATE", "TOOK", "RESULT")
        app.output.result(table([_row(record) for record in found], header=header, right={4}))
    else:
        app.output.say("no such build yet")


def _row(record: BuildRecord) -> tuple[str, ...]:
    from lapstrake.build.record import BuildState
    from lapstrake.cli.output import printable
    from lapstrake.formats.amounts import duration_text

    ended_well = record.state is BuildState.SUCCEEDED
    count = len(record.outputs)
    made = f"{count} file{'s' * (count != 1)}" if ended_well else record.error
    return (
        record.id,
        record.version,  # the bundle's name is in the id
        record.branch,
        f"{record.state} ({record.exit_code})" if record.exit_code else str(record.state),
        duration_text(record.seconds),
        printable(made)[:60],
    )
