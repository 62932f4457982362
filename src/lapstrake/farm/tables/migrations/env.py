"""What alembic runs for each command; `lapstrake.farm.tables.migrate` gives it the connection."""

from __future__ import annotations

from alembic import context

from lapstrake.farm.tables.migrate import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    render_as_batch=True,  # SQLite changes a column by making the table anew
    compare_type=True,
)
context.run_migrations()
