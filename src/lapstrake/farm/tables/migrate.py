"""Bring a database to the newest form."""

from __future__ import annotations

from sqlalchemy import text

from lapstrake.farm.tables.base import Base
from lapstrake.farm.tables.database import SCHEMA, Database


def upgrade(database: Database) -> None:
    """Make what is missing."""
    import lapstrake.farm.tables.access_rows
    import lapstrake.farm.tables.rows  # noqa: F401 - fills the metadata

    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        Base.metadata.create_all(connection)
