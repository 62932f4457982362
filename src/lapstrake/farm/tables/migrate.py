"""Bring a database from one form to another, forward and back, with all that is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, MetaData, text

from lapstrake.errors import FarmError
from lapstrake.farm.tables.base import Base
from lapstrake.farm.tables.database import SCHEMA, Database, problems

_SCRIPTS = Path(__file__).with_name("migrations")


def metadata() -> MetaData:
    """All tables, as the present code knows them."""
    from lapstrake.farm.tables import access_rows, rows

    del access_rows, rows  # to import them is enough
    return Base.metadata


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring a database to the newest form; one that is new is filled with tables.

    It happens all at once or not at all, and one server at a time.

    Args:
        database: which.
        revision: a step's name, when it should not be the newest.

    Raises:
        FarmError: it has a form that this version does not know.
        Unavailable: it cannot be reached.
    """
    if not database.is_sqlite:
        with _connected(database) as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    _run(database, lambda config: command.upgrade(config, revision))


def downgrade(database: Database, revision: str) -> None:
    """Bring a database back to an older form; what only the newer forms had is dropped.

    Args:
        database: which.
        revision: a step's name; ``base`` drops everything.

    Raises:
        FarmError: there is no such step, or the database does not know it.
        Unavailable: it cannot be reached.
    """
    _run(database, lambda config: command.downgrade(config, revision))


def present(database: Database) -> str:
    """The form that a database has; empty for none."""
    with _connected(database) as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def newest() -> str:
    """The form that the present code works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def differences(database: Database) -> list[str]:
    """How a database's tables differ from what the code thinks; empty when they do not."""
    with _connected(database) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(each) for each in compare_metadata(context, metadata())]


@contextmanager
def _connected(database: Database) -> Iterator[Connection]:
    with problems(), database.writer.begin() as connection:
        yield connection


def _run(database: Database, step: Callable[[Config], None]) -> None:
    config = _config()
    with _connected(database) as connection:
        config.attributes["connection"] = connection
        try:
            step(config)
        except CommandError as error:
            raise FarmError(
                f"the database {database} cannot be brought to the form wanted: {error}",
                resolution="A newer Lapstrake may have used it: run that one, and let it bring the "
                "database back first.",
            ) from None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config
