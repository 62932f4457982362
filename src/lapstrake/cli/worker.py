"""``lapstrake worker``: let this machine build for a farm."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lapstrake.cli.context import AppContext, pass_app


@click.command()
@click.option("--server", metavar="URL", help="The farm's server.  [default: farm.server]")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of the worker's token (or $LAPSTRAKE_TOKEN).",
)
@click.option("--name", help="The worker's name on the farm.  [default: this host's]")
@click.option(
    "--slots", type=click.IntRange(1), default=1, show_default=True, help="Builds at a time."
)
@click.option(
    "--capability",
    "capabilities",
    multiple=True,
    metavar="WORD",
    help="Something that tasks may ask for; may be repeated.  [besides farm.capabilities]",
)
@click.option("--pool", metavar="WORD", help="Build only what asks for this.  [default: farm.pool]")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it tells what it does, on standard error.",
)
@click.option("--embedded", is_flag=True, hidden=True, help="The server's own builder.")
@pass_app
def worker(
    app: AppContext,
    /,
    server: str | None,
    token_file: Path | None,
    name: str | None,
    slots: int,
    capabilities: tuple[str, ...],
    pool: str | None,
    log_format: str,
    embedded: bool,
) -> None:
    """Build what the farm gives, until told to stop.

    The first SIGTERM or Ctrl-C lets running builds end; a second gives them to other workers.
    """
    from lapstrake.cli.farm_connect import read_token, token_of
    from lapstrake.cli.farm_needs import require_farm
    from lapstrake.errors import UsageError
    from lapstrake.farm.model.queues import check_words, check_worker_name
    from lapstrake.farm.monitor.logs import LogForm, start_logs
    from lapstrake.farm.problems import Invalid
    from lapstrake.farm.worker.facts import machine_name
    from lapstrake.farm.worker.setup import WorkerSetup
    from lapstrake.farm.worker.supervisor import Supervisor
    from lapstrake.host.companion import end_with_parent

    require_farm()
    if embedded:  # the server is our parent: it starts another one if we are not there
        end_with_parent(os.getppid())
    start_logs(LogForm(log_format))
    setup = WorkerSetup(
        server=server or app.config.farm.server,
        token=read_token(token_file) if token_file else token_of(app.config.farm.token_file),
        name=name or machine_name(),
        embedded=embedded,
        config_dir=app.config_dir.absolute() if app.config_dir else None,
        overrides=app.overrides,
        log_form=LogForm(log_format),
    )
    farm = app.config.farm
    words = (*farm.capabilities, *capabilities)
    pool = farm.pool if pool is None else pool
    try:
        check_worker_name(setup.name)
        check_words((*words, *([pool] if pool else [])))
    except Invalid as wrong:
        raise UsageError(wrong.brief, resolution=wrong.resolution) from wrong
    Supervisor(setup, slots=slots, capabilities=words, pool=pool).run()
