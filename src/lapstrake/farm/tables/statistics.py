"""What PostgreSQL knows of the tables' contents: after a flood of rows, its plans are for few."""

from __future__ import annotations

from sqlalchemy import text

from lapstrake.farm.tables.database import SCHEMA, Database, problems

_CHANGED = text(
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = :schema"
    " AND n_mod_since_analyze > 5000 + n_live_tup / 10 ORDER BY relname"
)


def freshen(database: Database) -> tuple[str, ...]:
    """Have tables looked at that have changed much since they were; gives their names.

    PostgreSQL does the same by itself, but only after a minute or so, in which pages of many tasks
    take several times as long. SQLite needs none of it.

    Raises:
        Unavailable: the database cannot be reached.
    """
    if database.is_sqlite:
        return ()
    each = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with problems(), each.connect() as connection:
        names = tuple(connection.scalars(_CHANGED, {"schema": SCHEMA}))
        for name in names:  # those that it is at itself are left to it
            connection.exec_driver_sql(f"VACUUM (ANALYZE, SKIP_LOCKED) {SCHEMA}.{name}")
    return names
