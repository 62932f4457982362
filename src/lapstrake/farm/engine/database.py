"""The engine's own tables: where they are, and what it means when they cannot be reached."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection

import psycopg
import sqlalchemy as sa
from dbos import DBOSClient
from sqlalchemy import event

from lapstrake.errors import ConfigError
from lapstrake.farm.model.addresses import with_hosts_apart
from lapstrake.farm.problems import Unavailable

SCHEMA = "lapstrake_engine"
"""The schema of its tables in PostgreSQL; SQLite keeps them in a file of their own."""
APPLICATION = "lapstrake"
"""What the engine calls us."""
VERSION = "1"
"""Which slots may take a run: changed only when older slots could not understand newer runs."""

_PATIENCE = {
    "connect_timeout": "4",
    "tcp_user_timeout": "8000",
    "keepalives_idle": "4",
    "keepalives_interval": "2",
    "keepalives_count": "2",
}
"""A cut link is noticed within seconds; see libpq's "Database Connection Control Functions"."""
_BUSY_MILLISECONDS = 10_000


def connect(url: str, *, connections: int) -> DBOSClient:
    """Open the engine's tables; nothing is sent before they are first used.

    Args:
        url: ``sqlite:///FILE`` (its folder exists) or ``postgresql://USER:PASSWORD@HOST/NAME``.
        connections: the most at a time; half of them are kept open.

    Raises:
        ConfigError: the address is none of these.
    """
    logging.getLogger("dbos").setLevel(logging.ERROR)
    engine = _open(url, connections)
    return DBOSClient(
        system_database_engine=engine,
        dbos_system_schema=SCHEMA,
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )


def migrate(client: DBOSClient) -> None:
    """Make the engine's tables, or bring them up to date; several servers may do it at once.

    Raises:
        Unavailable: the database cannot be reached.
    """
    with reached():
        client._sys_db.run_migrations()  # the client has no other way


def disconnect(client: DBOSClient) -> None:
    """Close all connections."""
    client.destroy()
    client._sys_db.engine.dispose()  # a database that we opened, we close


@contextmanager
def reached() -> Iterator[None]:
    """Tell what the database raises as a problem.

    Raises:
        Unavailable: it cannot be reached, or refuses.
    """
    try:
        yield
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, psycopg.Error) as away:
        cause = getattr(away, "orig", None) or away
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise Unavailable(
            f"the engine's database does not answer: {lines[0]}",
            resolution="Nothing is lost: it goes on by itself once the database is back.",
        ) from away


def _open(url: str, connections: int) -> sa.Engine:
    try:
        address = sa.make_url(with_hosts_apart(url))
        kind = address.get_backend_name()
    except sa.exc.ArgumentError:
        kind = ""
    if kind == "sqlite":
        return _open_sqlite(address, connections)
    if kind in {"postgresql", "postgres"}:
        return _open_postgres(address, connections)
    raise ConfigError(
        "the engine's database has an address that is none",
        resolution="Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
    )


def _open_sqlite(address: sa.URL, connections: int) -> sa.Engine:
    engine = sa.create_engine(
        address, **_pool(connections), connect_args={"check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Connection, _record: object) -> None:
        # Writers take turns from their first statement on: nobody finds the database changed
        # between what he read and what he writes. Readers never wait (write-ahead log).
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _open_postgres(address: sa.URL, connections: int) -> sa.Engine:
    given = {name: word for name, word in _PATIENCE.items() if name not in address.query}
    patient = address.set(drivername="postgresql+psycopg").update_query_dict(given)
    engine = sa.create_engine(patient, **_pool(connections), pool_timeout=10, pool_pre_ping=True)
    leave_standbys(engine)
    return engine


def leave_standbys(engine: sa.Engine) -> None:
    """Let go of a connection as soon as its database turns out to be a standby.

    One that was the primary answers, but takes nothing any more; the next connection finds the new
    one, where the address has several hosts.

    Args:
        engine: of PostgreSQL.
    """

    @event.listens_for(engine, "handle_error")
    def look(context: sa.engine.ExceptionContext) -> None:
        if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
            context.is_disconnect = True


def _pool(connections: int) -> dict[str, int]:
    kept = max(1, connections // 2)
    return {"pool_size": kept, "max_overflow": connections - kept}
