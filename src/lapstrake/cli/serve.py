"""``lapstrake serve``: the farm's server."""

from __future__ import annotations

import logging
from dataclasses import replace

import click

from lapstrake.cli.context import AppContext, pass_app


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where to listen.  [default: farm.listen]")
@click.option(
    "--slots",
    type=click.IntRange(min=0),
    help="Builds at a time of this machine itself; 0 for workers only.  [default: farm.slots]",
)
@click.option("--database", metavar="URL", help="PostgreSQL's address.  [default: farm.database]")
@click.option(
    "--access-log",
    type=click.Choice(["text", "json", "off"]),
    default="text",
    show_default=True,
    help="How requests are told, on standard error.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How all else is.",
)
@pass_app
def serve(
    app: AppContext,
    /,
    listen: str | None,
    slots: int | None,
    database: str | None,
    access_log: str,
    log_format: str,
) -> None:
    """Serve the farm: an API, a queue, a builder and pages, until told to stop.

    With SQLite, nothing else is needed. With PostgreSQL (--database), `lapstrake worker` on other
    machines build, too. The first SIGTERM or Ctrl-C lets its own builds end, for farm.stop_after at
    most; a second one stops it at once.
    """
    from lapstrake.cli.farm_needs import needs_farm

    with needs_farm():
        from lapstrake.farm.monitor.logs import LogForm
        from lapstrake.farm.serving.serve import serve as run
        from lapstrake.farm.serving.settings import ServeSettings
    from lapstrake.web.access_log import AccessLog

    config = app.config
    said = {"listen": listen, "slots": slots, "database": database}
    chosen = {name: value for name, value in said.items() if value is not None}
    settings = ServeSettings(
        config=replace(config, farm=replace(config.farm, **chosen)),  # type: ignore[arg-type]
        config_dir=app.config_dir,
        overrides={**app.overrides, **{f"farm.{name}": str(chosen[name]) for name in chosen}},
        access_log=AccessLog(access_log),
        log_format=LogForm(log_format),
    )

    def tell(url: str) -> None:
        if settings.log_format is LogForm.JSON:  # every line is an object then
            logging.getLogger("lapstrake.farm.serving").info("serving on %s", url)
        else:
            app.output.say(f"serving on {url}")

    run(settings, on_ready=tell)
