"""How an idle slot looks for work: a cheap question, asked seldom, and at once when it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from lapstrake.farm.engine.database import reached

_CHANNEL = "lapstrake_engine"
_IDLE = 1.0
"""Seconds between two looks if nothing is told, in case that something was missed."""


class Lookout:
    """Keeps one connection from one look to the next, without a transaction around each.

    PostgreSQL tells whoever listens of new work (``LISTEN``); SQLite says at next to no cost
    whether anybody has changed anything (``PRAGMA data_version``). For one thread.

    Args:
        engine: has the tables.

    Raises:
        Unavailable: (every method but `close`) the database cannot be reached.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._hears = _tells(engine.dialect)
        # SQLite's reads are no transactions of their own anyway, and it must keep its mode.
        options = {"isolation_level": "AUTOCOMMIT"} if self._hears else {}
        self._engine = engine.execution_options(**options)
        self._connection: sa.Connection | None = None
        self._seen: object = None

    def ask(self, question: sa.Select[*tuple[Any, ...]]) -> sa.Row[*tuple[Any, ...]]:
        """Ask a question that has one row as its answer."""
        with self._reached() as connection:
            if not self._hears:
                self._seen = _version(connection)
            return connection.execute(question).one()

    def wait(self, seconds: float, serves: Callable[[str], bool], over: Callable[[], bool]) -> None:
        """Wait until there may be something new since the last look.

        Args:
            seconds: the least from one look to the next, whatever is told meanwhile.
            serves: whether new runs of a queue are worth a look.
            over: asked every `seconds`; ends the waiting.
        """
        until = time.monotonic() + _IDLE
        time.sleep(seconds)
        with self._reached() as connection:
            while time.monotonic() < until and not over():
                if self._is_news(connection, seconds, serves):
                    return

    def close(self) -> None:
        """Let others have the connection: nothing is listened to."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._hears:
                connection.exec_driver_sql(f"UNLISTEN {_CHANNEL}")
            connection.close()
        except sa.exc.DBAPIError:
            connection.invalidate()
            connection.close()

    def _is_news(
        self, connection: sa.Connection, seconds: float, serves: Callable[[str], bool]
    ) -> bool:
        """Wait so long, on PostgreSQL not longer than until it tells something."""
        if self._hears:
            driver: Any = connection.connection.driver_connection
            told = list(driver.notifies(timeout=seconds, stop_after=1))
            return any(serves(each.payload) for each in told)
        time.sleep(seconds)
        return _version(connection) != self._seen

    @contextmanager
    def _reached(self) -> Iterator[sa.Connection]:
        """The connection; one that breaks is forgotten."""
        try:
            with reached():
                yield self._connection or self._open()
        except Exception:
            if self._connection is not None:
                self._connection.invalidate()
                self._connection.close()
                self._connection = None
            raise

    def _open(self) -> sa.Connection:
        self._connection = self._engine.connect()
        if self._hears:
            self._connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
        return self._connection


def tell_slots(connection: sa.Connection, queues: Iterable[str]) -> None:
    """Have idle slots look for new runs in some queues, once the transaction is kept."""
    if _tells(connection.dialect):
        for queue in sorted(set(queues)):
            connection.execute(sa.select(sa.func.pg_notify(_CHANNEL, queue)))


def _version(connection: sa.Connection) -> object:
    """What SQLite has counted up whenever another connection has changed something."""
    driver: Any = connection.connection.driver_connection
    return driver.execute("PRAGMA data_version").fetchone()


def _tells(dialect: sa.Dialect) -> bool:
    return dialect.name == "postgresql"
