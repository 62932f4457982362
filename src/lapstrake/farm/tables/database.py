"""The server's database: where it is, how it is opened, one writer at a time."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from lapstrake.errors import ConfigError
from lapstrake.farm.engine.database import leave_standbys
from lapstrake.farm.model.addresses import with_hosts_apart
from lapstrake.farm.problems import NoRoom, Unavailable

SCHEMA = "lapstrake"
"""PostgreSQL's schema that has our tables; workers' roles may not use it."""

_WRITERS = 0x6C617073  # the number of the advisory lock: "laps"
_BUSY_SECONDS = 30.0
_MOMENT = 0.02
_FRESH_SECONDS = 1.0


def address(configured: str, folder: Path) -> str:
    """The database's URL: as configured, else a file in a folder.

    Args:
        configured: ``farm.database``.
        folder: where SQLite's file goes.

    Raises:
        ConfigError: it is no URL of PostgreSQL; a password in it is never shown.
    """
    if not configured:
        return f"sqlite:///{folder / 'farm.db'}"
    try:
        url = make_url(with_hosts_apart(configured))
    except (ArgumentError, ValueError):
        raise _no_address("it is no URL") from None
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise _no_address(f"{url.drivername!r} is no database of ours")
    if not url.database:
        raise _no_address("it names no database")
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


class Database:
    """The server's tables.

    Reading happens side by side. Changes happen one after the other, over all threads and
    servers: so rules that look at several rows hold, and nothing is ever locked crosswise.

    Args:
        url: see `address`; SQLite's folder is made.
        pool: connections held at most.
    """

    def __init__(self, url: str, *, pool: int = 20) -> None:
        self.url = make_url(url)
        self._turn = threading.Lock()
        self.engine = _engine(self.url, pool)
        self.writer = self.engine.execution_options(writes=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of one machine."""
        return self.url.get_backend_name() == "sqlite"

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of everything.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with problems(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that is alone in changing things; kept at the end, dropped by an exception.

        Raises:
            Unavailable: the database cannot be reached; nothing was changed.
            NoRoom: its disk is full.
        """
        session = Session(self.writer, expire_on_commit=False)
        with problems(), self._turn, session, session.begin():
            yield session

    def check(self) -> None:
        """See whether it answers.

        Raises:
            Unavailable: it does not.
        """
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def _engine(url: URL, pool: int) -> Engine:
    if url.get_backend_name() == "sqlite":
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            url, pool_size=pool, max_overflow=pool, connect_args={"timeout": _BUSY_SECONDS}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=pool,
        pool_timeout=_BUSY_SECONDS,
        connect_args={
            "connect_timeout": 5,
            "options": f"-csearch_path={SCHEMA} -clock_timeout=30000",
            "application_name": "lapstrake",
        },
    )
    event.listen(engine, "begin", _begin_postgresql)
    _see_if_alive(engine)
    leave_standbys(engine)
    return engine


def _see_if_alive(engine: Engine) -> None:
    """Look whether connections still live that were idle: the database may have been restarted.

    SQLAlchemy's own ``pool_pre_ping`` does so at each use, which is a tenth of a short change.
    """

    def used(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    def look(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get("used", 0.0) < _FRESH_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None  # those beside it are no better

    event.listen(engine, "checkin", used)
    event.listen(engine, "checkout", look)


def _prepare_sqlite(connection: object, _: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined] # transactions begin when we say
    cursor = connection.cursor()  # type: ignore[attr-defined]
    _write_ahead(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Bring a new file to its mode; SQLite itself waits for nobody who does so at the same time."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_MOMENT)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


@contextmanager
def problems() -> Iterator[None]:
    """Say what is wrong with the database in words; its own may hold addresses and values."""
    try:
        yield
    except PoolTimeout:
        raise _away("too many requests wait for it") from None
    except (OperationalError, InterfaceError) as error:
        words = str(error.orig)
        if "full" in words.lower() or "no space" in words.lower():
            raise NoRoom(
                "the disk of the server's database is full", resolution="Make room on the server."
            ) from None
        raise _away(words.splitlines()[0] if words else "it does not answer") from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _away("the connection broke") from None
        if type(error) is DatabaseError:  # SQLite: a file that is none, or damaged
            raise Unavailable(
                f"the server's database cannot be read: {error.orig}",
                resolution="Restore it from a backup: lapstrake farm restore.",
            ) from None
        raise


def _away(why: str) -> Unavailable:
    return Unavailable(f"the server's database is away: {why}", resolution="Try again soon.")


def _no_address(what: str) -> ConfigError:
    return ConfigError(
        f"farm.database: {what}",
        resolution="Leave it empty for SQLite, or give postgresql://USER:PASSWORD@HOST/NAME.",
    )
