"""Tokens: who may do what. The server keeps their hashes only, and sees at once when one is gone.

A secret is ``lst_`` and 256 random bits; SHA-256 without salt is enough for what nobody can guess.
Looking it up by its hash needs no comparison whose time could tell anything.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select, update

from lapstrake.farm.problems import Invalid, Unknown, WrongState
from lapstrake.farm.tables.access_rows import TokenRow
from lapstrake.farm.tables.database import Database
from lapstrake.farm.values.scopes import Scope

PREFIX = "lst_"
EMBEDDED = "(embedded)"
"""What the token of the server's own builder is called; no other can be."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.@+_-]{0,63}\Z")
_KNOWN_SECONDS = 1.0
"""How long a look-up holds: a token that was removed on another server works no longer than so."""
_USED_SECONDS = 60.0
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as the server knows it.

    Attributes:
        name: whose it is; unique.
        scope: what it allows.
        created: when.
        expires: when it ends; 0 for never.
        used: when it was last seen; about a minute's accuracy.
    """

    name: str
    scope: Scope
    created: float
    expires: float = 0.0
    used: float = 0.0


class Tokens:
    """The tokens of a server. Any thread may call.

    Args:
        database: has them.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[float, Token | None]] = {}
        self._ours: dict[str, Token] = {}
        self._any: tuple[float, bool] = (0.0, False)
        self._turn = threading.Lock()

    def add(self, name: str, scope: Scope, *, seconds: float = 0.0) -> tuple[Token, str]:
        """Make a token; gives it and its secret, which cannot be had again.

        Args:
            name: whose it is.
            scope: what it allows.
            seconds: how long it holds; 0 for ever.

        Raises:
            WrongState: there is one of that name.
            Invalid: the name cannot be one.
        """
        if not _NAME.match(name):
            raise Invalid(
                f"{name!r} cannot be a token's name",
                resolution="Take letters, digits and .@+_-, 64 at most.",
            )
        secret, now = PREFIX + secrets.token_urlsafe(32), self._clock()
        expires = now + seconds if seconds else 0.0
        with self._database.write() as session:
            if session.get(TokenRow, name) is not None:
                raise WrongState(
                    f"there is a token {name} already",
                    resolution="Choose another name, or remove that one.",
                )
            session.add(
                TokenRow(
                    name=name, hash=_hash(secret), scope=scope, created=now, expires=expires, used=0
                )
            )
        self._forget()
        return Token(name=name, scope=scope, created=now, expires=expires), secret

    def all(self) -> tuple[Token, ...]:
        """All tokens, by name; expired ones, too."""
        with self._database.read() as session:
            return tuple(
                _token(row) for row in session.scalars(select(TokenRow).order_by(TokenRow.name))
            )

    def remove(self, name: str, *, by: str = "") -> None:
        """Take a token back; it means nothing from now on.

        Args:
            name: whose it is.
            by: the name of the token that is shown for this, which stays.

        Raises:
            WrongState: it is the one that is shown.
            Unknown: there is none of that name.
        """
        if name == by:
            raise WrongState(
                "this is the token that you show",
                resolution="Remove it with another, or at the server.",
            )
        with self._database.write() as session:
            gone = session.execute(
                delete(TokenRow).where(TokenRow.name == name).returning(TokenRow.name)
            ).all()
        self._forget()
        if not gone:
            raise Unknown(f"there is no token {name}", resolution="See the list of tokens.")

    def lend(self, name: str, scope: Scope) -> str:
        """Make a token that lives as long as this object, in memory only; gives its secret."""
        secret = PREFIX + secrets.token_urlsafe(32)
        self._ours[_hash(secret)] = Token(name=name, scope=scope, created=self._clock())
        return secret

    @property
    def any(self) -> bool:
        """Whether there is a token that lets people in."""
        moment, found = self._any
        if self._clock() - moment > _KNOWN_SECONDS:
            found = any(token.scope is not Scope.WORKER for token in self.all())
            self._any = (self._clock(), found)
        return found

    def find(self, secret: str) -> Token | None:
        """The token of a secret; ``None`` when it is nobody's, or too old."""
        if not secret.startswith(PREFIX) or len(secret) > 100:
            return None
        key, now = _hash(secret), self._clock()
        if key in self._ours:
            return self._ours[key]
        seen, token = self._known.get(key, (0.0, None))
        if now - seen > _KNOWN_SECONDS:
            token = self._look(TokenRow.hash == key, key, now)
        return token if token is not None and _is_good(token, now) else None

    def named(self, name: str) -> Token | None:
        """The token of a name, if it is good; what sessions ask."""
        now = self._clock()
        seen, token = self._known.get(f"={name}", (0.0, None))
        if now - seen > _KNOWN_SECONDS:
            token = self._look(TokenRow.name == name, f"={name}", now)
        return token if token is not None and _is_good(token, now) else None

    def _look(self, wanted: ColumnElement[bool], key: str, now: float) -> Token | None:
        with self._database.read() as session:
            row = session.scalar(select(TokenRow).where(wanted))
        token = None if row is None else _token(row)
        with self._turn:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = (now, token)
        if token is not None and now - token.used > _USED_SECONDS:
            with self._database.write() as session:
                session.execute(update(TokenRow).where(wanted).values(used=now))
        return token

    def _forget(self) -> None:
        with self._turn:
            self._known.clear()
            self._any = (0.0, False)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_good(token: Token, now: float) -> bool:
    return not token.expires or token.expires > now


def _token(row: TokenRow) -> Token:
    return Token(
        name=row.name,
        scope=Scope(row.scope),
        created=row.created,
        expires=row.expires,
        used=row.used,
    )
