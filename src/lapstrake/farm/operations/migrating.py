"""The server's tables opened beside the server, and brought from one form to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lapstrake.config.model import Config
from lapstrake.errors import FarmError
from lapstrake.farm.tables.database import Database, address
from lapstrake.farm.tables.half_restored import refuse_half_restored
from lapstrake.farm.tables.migrate import downgrade, newest, present, upgrade


@contextmanager
def open_database(config: Config) -> Iterator[Database]:
    """The server's database, whatever form it has, until the block ends.

    Raises:
        ConfigError: ``farm.database`` is none.
        FarmError: it is being restored.
    """
    refuse_half_restored(config.work_dir)
    folder = config.work_dir / "farm"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(address(config.farm.database, folder))
    try:
        yield database
    finally:
        database.close()


@contextmanager
def open_tables(config: Config) -> Iterator[Database]:
    """The server's tables, which are made in a database that is new.

    Raises:
        ConfigError: ``farm.database`` is none.
        FarmError: the tables are of another version, or are being restored.
        Unavailable: the database cannot be reached.
    """
    with open_database(config) as database:
        found = present(database)
        if found and found != newest():
            raise FarmError(
                f"the database's tables have the form {found}, this version needs {newest()}",
                resolution="Stop the server, make a backup, then run `lapstrake farm migrate`.",
            )
        upgrade(database)
        yield database


def migrate(config: Config, revision: str = "") -> tuple[str, str]:
    """Bring the tables to a form; gives the forms before and after.

    Args:
        config: of the server.
        revision: an older form's name, for going back; empty for the newest.

    Raises:
        FarmError: there is no such form, or the database has one that this version does not know.
        Unavailable: the database cannot be reached.
    """
    with open_database(config) as database:
        before = present(database)
        if revision:
            downgrade(database, revision)
        else:
            upgrade(database)
        return before, present(database)
