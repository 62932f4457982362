"""The workers' role in PostgreSQL: it moves the engine's runs on, and sees nothing of ours."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from lapstrake.errors import ConfigError, FarmError
from lapstrake.farm.engine.database import SCHEMA as ENGINE
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.tables.database import address

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
# What a slot does: take, end and give back runs. It cannot add any.
_RIGHTS = (
    ("SELECT, UPDATE", "workflow_status"),
    ("SELECT, INSERT, UPDATE", "workflow_output"),
    ("SELECT", "queues"),
)


def make_worker_role(database: str, role: str) -> str:
    """Make the role that workers come with, or give it a new password and just these rights.

    Args:
        database: ``farm.database``, of a user who may make roles (``CREATEROLE``).
        role: the role's name.

    Returns:
        The address for ``farm.worker_database``; it holds the password, which is kept nowhere.

    Raises:
        ConfigError: there is no PostgreSQL database, or the name is none.
        FarmError: the database refuses.
        Unavailable: the database cannot be reached.
    """
    url = _checked(database, role)
    DbosDispatch(database).close()  # makes the tables that the role may use
    password = secrets.token_urlsafe(24)
    try:
        with psycopg.connect(_plain(url)) as connection:
            _make(connection, url, role, password)
    except psycopg.Error as refused:
        raise FarmError(
            f"the role {role} cannot be made: {str(refused).strip().splitlines()[0]}",
            resolution="The user of farm.database must own the database and may make roles: "
            "let the administrator run ALTER ROLE NAME CREATEROLE.",
        ) from refused
    return _plain(url.set(username=role, password=password))


def _checked(database: str, role: str) -> URL:
    if not database:
        raise ConfigError(
            "SQLite has no roles: only the server's own builder uses it",
            resolution="Set farm.database to a PostgreSQL database first.",
        )
    url = make_url(address(database, Path()))
    if not _NAME.match(role) or role == url.username:
        raise ConfigError(
            f"{role!r} cannot be the workers' role",
            resolution="Choose a new name of small letters, digits and underscores.",
        )
    return url


def _make(connection: psycopg.Connection, url: URL, role: str, password: str) -> None:
    name = sql.Identifier(role)
    found = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [role])
    superuser = found.fetchone()
    if superuser and superuser[0]:
        raise FarmError(
            f"the role {role} may do everything", resolution="Choose the name of another role."
        )
    # Hashed here, so that the password is in no log of the database.
    secret = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    verb = "ALTER" if superuser else "CREATE"
    account = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
    connection.execute(account.format(sql.SQL(verb), name, sql.Literal(secret)))
    database, schema = sql.Identifier(url.database or ""), sql.Identifier(ENGINE)
    for right in (
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, name),
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(schema, name),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name),
    ):
        connection.execute(right)
    for rights, table in _RIGHTS:
        granted = sql.SQL("GRANT {} ON {}.{} TO {}")
        connection.execute(granted.format(sql.SQL(rights), schema, sql.Identifier(table), name))


def _plain(url: URL) -> str:
    """An address as libpq knows it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
