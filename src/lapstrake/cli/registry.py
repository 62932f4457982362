"""``lapstrake registry``: serve images, and reclaim the room that they take."""

from __future__ import annotations

import json
from dataclasses import replace

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.lazy import WrappedGroup


@click.group(cls=WrappedGroup)
def registry() -> None:
    """Serve images that are made when they are pulled."""


@registry.command("serve")
@click.option("--listen", metavar="HOST:PORT", help="Where to listen.  [default: registry.listen]")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that answer.  [default: registry.workers]",
)
@click.option(
    "--access-log",
    type=click.Choice(["text", "json", "off"]),
    default="text",
    show_default=True,
    help="How requests are told, on standard error.",
)
@pass_app
def serve(app: AppContext, /, listen: str | None, workers: int | None, access_log: str) -> None:
    """Serve images until told to stop.

    The first SIGTERM or Ctrl-C lets running transfers end, for half a minute at most.
    """
    from lapstrake.registry.serving.serve import serve as run
    from lapstrake.registry.serving.settings import ServerSettings
    from lapstrake.web.access_log import AccessLog

    config = app.config
    chosen = replace(
        config.registry,
        listen=listen or config.registry.listen,
        workers=workers or config.registry.workers,
    )
    settings = ServerSettings(
        config=replace(config, registry=chosen),
        overrides=app.overrides,
        access_log=AccessLog(access_log),
    )
    run(settings, on_ready=lambda url: app.output.say(f"serving on {url}"))


@registry.command("gc")
@click.option(
    "--grace",
    metavar="TIME",
    default="1d",
    show_default=True,
    help="Keep what is younger; somebody may be about to need it.",
)
@click.option(
    "--unused",
    metavar="TIME",
    default="30d",
    show_default=True,
    help="Forget names that nobody pulled for so long.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def collect(app: AppContext, /, grace: str, unused: str, dry_run: bool, as_json: bool) -> None:
    """Forget names that nobody pulls, remove blobs that no image needs, and given-up uploads."""
    from lapstrake.blobs.open import open_blobs
    from lapstrake.config.units import parse_duration
    from lapstrake.errors import UsageError
    from lapstrake.formats.amounts import size_text
    from lapstrake.registry.demand.forget import forget_unused
    from lapstrake.registry.protocol.collect import collect_blobs

    def duration(option: str, text: str) -> float:
        try:
            return parse_duration(text)
        except ValueError as wrong:
            raise UsageError(f"{option}: {wrong}") from wrong

    grace_seconds, unused_seconds = duration("--grace", grace), duration("--unused", unused)
    blobs = open_blobs(app.config)
    names = forget_unused(blobs, seconds=unused_seconds, dry_run=dry_run)
    gone = collect_blobs(blobs, grace=grace_seconds, dry_run=dry_run)
    if as_json:
        document = {
            "names": list(names),
            "blobs": [str(digest) for digest in gone.blobs],
            "bytes": gone.size,
            "links": gone.links,
            "leftovers": gone.leftovers,
        }
        app.output.result(json.dumps(document, indent=2))
        return
    would = "would be " if dry_run else ""
    for name in names:
        app.output.say(f"{name} {would}forgotten")
    app.output.say(f"{len(gone.blobs)} blobs {would}removed, {size_text(gone.size)} {would}freed")
    if gone.leftovers:
        app.output.say(f"{gone.leftovers} unfinished uploads {would}removed")
