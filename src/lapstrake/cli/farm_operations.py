"""``lapstrake farm migrate|backup|restore|units|database-role``: on the server's machine."""

from __future__ import annotations

from pathlib import Path

import click

from lapstrake.cli.context import AppContext, pass_app

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--user", is_flag=True, help="For a user's own service manager: rootless builds.")
@click.option("--worker", is_flag=True, help="Only the worker's.")
@click.option(
    "--write",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write them into this folder, such as /etc/systemd/system.",
)
@pass_app
def units(app: AppContext, /, user: bool, worker: bool, write: Path | None) -> None:
    """Print systemd's units of the server and of a worker, for this installation."""
    from lapstrake.farm.operations.units import WORKER, unit_texts
    from lapstrake.host.files import write_atomic

    texts = unit_texts(user=user, config_dir=app.config_dir)
    wanted = {name: text for name, text in texts.items() if name == WORKER or not worker}
    for name, text in wanted.items():
        if write is None:
            app.output.result(f"# {name}\n{text}")
        else:
            write.mkdir(parents=True, exist_ok=True)
            write_atomic(write / name, text.encode())
            app.output.say(f"{write / name} is written")
    if write is not None:
        manager = "systemctl --user" if user else "systemctl"
        unit = "lapstrake-worker@NAME" if worker else "lapstrake-serve"
        app.output.say(f"next: {manager} daemon-reload && {manager} enable --now {unit}")


@click.command()
@click.argument("file", type=_FILE)
@pass_app
def backup(app: AppContext, /, file: Path) -> None:
    """Write all that the server has into FILE (.tar.zst), while it serves.

    In it are the tables, bundles and results, logs, the branches' repositories and their keys: keep
    it as safe as those. Not in it are roots, downloads and the configuration.
    """
    from lapstrake.cli.farm_needs import needs_farm
    from lapstrake.formats.amounts import size_text

    with needs_farm():
        from lapstrake.farm.operations.backup import back_up
    with app.output.status(f"writing {file}"):
        back_up(app.config, file)
    app.output.say(f"{file} is written, {size_text(file.stat().st_size)}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_app
def restore(app: AppContext, /, file: Path) -> None:
    """Bring a backup back from FILE, into an empty work_dir (and an empty database).

    What was being built when the backup was made is built again once the server runs.
    """
    from lapstrake.cli.farm_needs import needs_farm
    from lapstrake.formats.amounts import age_text

    with needs_farm():
        from lapstrake.farm.operations.restore import restore as bring_back
    with app.output.status(f"restoring {file}"):
        manifest = bring_back(app.config, file)
    app.output.say(
        f"{app.config.work_dir} is as it was {age_text(manifest.made)}; next: lapstrake serve"
    )


@click.command()
@click.option("--down", metavar="FORM", help="Go back to this older form; `base` drops all tables.")
@pass_app
def migrate(app: AppContext, /, down: str | None) -> None:
    """Bring the database's tables to the form of this version (a new server does so itself).

    Stop the server and make a backup first. --down is for going back to an older version: run it
    with the newer one, then install the older one. What the older form has no place for is lost,
    such as all tokens and webhooks in form 0001.
    """
    from lapstrake.cli.farm_needs import needs_farm

    with needs_farm():
        from lapstrake.farm.operations.migrating import migrate as bring
    before, after = bring(app.config, down or "")
    if before == after:
        app.output.say(f"the tables have the form {after or 'of nothing'} already")
    else:
        app.output.say(f"the tables went from {before or 'nothing'} to {after or 'nothing'}")


@click.command("database-role")
@click.argument("role", default="lapstrake_worker")
@pass_app
def database_role(app: AppContext, /, role: str) -> None:
    """Make the PostgreSQL role that workers reach the engine with, or give it a new password.

    It may move the engine's runs on and sees none of the server's tables. Prints the address for
    farm.worker_database (put in the host's name as workers know it); the password is kept nowhere.
    """
    from lapstrake.cli.farm_needs import needs_farm

    with needs_farm():
        from lapstrake.farm.operations.roles import make_worker_role
    app.output.result(make_worker_role(app.config.farm.database, role))
    app.output.say("next: set farm.worker_database to this address, and restart lapstrake serve")
