"""PostgreSQL's own programs for copies of a database (pg_dump(1), pg_restore(1))."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import URL

from lapstrake.errors import FarmError
from lapstrake.farm.tables.database import SCHEMA
from lapstrake.host.process import require_program, run

_SECONDS = 4 * 3600.0
_PACKAGE = "postgresql-client"
_VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "host": "PGHOST",
    "port": "PGPORT",
}


def dump(url: URL, target: Path) -> None:
    """Write our tables as they are at one moment; others may go on changing them.

    Raises:
        FarmError: the program is missing, or fails.
    """
    program = require_program("pg_dump", package=_PACKAGE, error=FarmError)
    what = ["--format=custom", f"--schema={SCHEMA}", "--no-owner", "--no-privileges"]
    run(
        [program, *what, "--compress=0", f"--file={target}"],
        timeout=_SECONDS,
        error=FarmError,
        doing="writing the database's copy",
        env=_environment(url),
    )


def load(url: URL, source: Path) -> None:
    """Make our tables from such a copy, all or nothing.

    Raises:
        FarmError: the program is missing, or fails: the tables are there already, for one.
    """
    program = require_program("pg_restore", package=_PACKAGE, error=FarmError)
    how = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    run(
        [program, *how, f"--dbname={url.database}", source],
        timeout=_SECONDS,
        error=FarmError,
        doing="restoring the database",
        env=_environment(url),
    )


def _environment(url: URL) -> Mapping[str, str]:
    """How its programs reach it; the password is in no command line."""
    given = {
        "PGHOST": url.host,
        "PGPORT": str(url.port) if url.port else None,
        "PGUSER": url.username,
        "PGPASSWORD": None if url.password is None else str(url.password),
        "PGDATABASE": url.database,
    }
    said = {variable: _text(url.query.get(name)) for name, variable in _VARIABLES.items()}
    given |= {variable: text for variable, text in said.items() if text}
    return {name: value for name, value in given.items() if value}


def _text(value: str | tuple[str, ...] | None) -> str | None:
    return value[-1] if isinstance(value, tuple) else value
