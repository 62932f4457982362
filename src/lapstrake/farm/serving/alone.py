"""One server at a time: two would publish the same things, and sweep each other's workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from lapstrake.errors import FarmError
from lapstrake.farm.problems import Unavailable
from lapstrake.farm.tables.database import Database
from lapstrake.host.locks import locked

_LEADER = 0x6C617074  # the number of the advisory lock: "lapt"
_HOW = "End the other server first: a farm has one."


class Alone:
    """Holds a farm's place in its database, for as long as the server runs.

    PostgreSQL forgets who held it when it is restarted; `check` takes it again.

    Args:
        database: the farm's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def check(self) -> None:
        """Take the place, unless we have it.

        Raises:
            FarmError: another server has it.
            Unavailable: the database cannot be reached.
        """
        if self._database.is_sqlite:
            return
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                self._connection.rollback()
                return
        except DBAPIError:
            self.close()
        self._take()

    def _take(self) -> None:
        try:
            connection = self._database.engine.connect()
            taken = connection.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": _LEADER})
            connection.rollback()
        except DBAPIError as error:
            reason = (str(error.orig).splitlines() or ["it does not answer"])[0]
            raise Unavailable(
                f"the server's database is away: {reason}",
                resolution="Start it, or correct farm.database.",
            ) from None
        if not taken:
            connection.close()
            raise FarmError("another server works on this farm's database", resolution=_HOW)
        self._connection = connection

    def close(self) -> None:
        """Leave the place to others."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


@contextmanager
def alone(database: Database, folder: Path) -> Iterator[Alone]:
    """Be the only server of a database and of a folder until the block ends.

    Raises:
        FarmError: there is another one.
        Unavailable: the database cannot be reached.
    """
    with locked(folder / "server.lock", what="the farm's folder", timeout=0, error=FarmError):
        place = Alone(database)
        try:
            place.check()
            yield place
        finally:
            place.close()
