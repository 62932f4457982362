"""Passwords of a file that ``htpasswd -B`` writes, and a token that stands for all of them."""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import bcrypt

from lapstrake.errors import ConfigError

_HASH = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}\Z")
_NOBODYS = b"." * 53
"""The end of a hash that no password has, so that unknown users take as long as known ones."""
_BCRYPT_BYTES = 72  # more of a password bcrypt has never looked at
_REMEMBERED = 1024
_AT_ONCE = 2


def read_htpasswd(path: Path) -> dict[str, bytes]:
    """Read users and their hashes.

    Raises:
        ConfigError: the file cannot be read, or a line is no bcrypt hash; it names the line.
    """
    users = {}
    for number, line in enumerate(_read(path, "registry.htpasswd").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        user, colon, text = line.strip().partition(":")
        if not user or not colon or not _HASH.match(text):
            raise ConfigError(
                f"{path}:{number}: this is not USER:HASH with a hash of bcrypt",
                resolution=f"Write it with `htpasswd -B {path} USER`.",
            )
        users[user] = text.encode()
    return users


def read_token(path: Path) -> str:
    """Read the token: the file's content without white space around it.

    Raises:
        ConfigError: the file cannot be read, or says nothing.
    """
    token = _read(path, "registry.token_file").strip()
    if not token:
        raise ConfigError(f"registry.token_file: {path} is empty")
    return token


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        what = getattr(failed, "strerror", None) or failed
        raise ConfigError(f"{key}: {path}: {what}") from failed


@dataclass(slots=True)
class Passwords:
    """Who may do what needs a password.

    bcrypt takes a tenth of a second on purpose, so what was right once is remembered, as a keyed
    hash. Users' changes to the file are seen at the next request.

    Args:
        htpasswd: the file of users; ``None`` for none.
        token: a secret that is right with any user's name; empty for none.

    Raises:
        ConfigError: the file is wrong.
    """

    htpasswd: Path | None = None
    token: str = ""
    _users: dict[str, bytes] = field(default_factory=dict)
    _stamp: tuple[int, int] = (0, 0)
    _known: dict[bytes, bytes] = field(default_factory=dict)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def __post_init__(self) -> None:
        self._reload()

    @property
    def any(self) -> bool:
        """Whether there are any credentials at all."""
        return bool(self.token) or self.htpasswd is not None

    def is_token(self, text: str) -> bool:
        """Whether this is the token; takes as long whatever is wrong with it."""
        return bool(self.token) and hmac.compare_digest(text.encode(), self.token.encode())

    async def accepts(self, user: str, password: str) -> bool:
        """Whether a user has this password."""
        if self.is_token(password):
            return True
        if self.htpasswd is None:
            return False
        self._reload_if_changed()
        expected = self._users.get(user) or self._nobody()
        mark = hmac.digest(self._key, f"{user}\0{password}".encode(), "sha256")
        if self._known.get(mark) == expected:
            return True
        async with self._turns:
            secret = password.encode()[:_BCRYPT_BYTES]
            right = b"\0" not in secret and await asyncio.to_thread(
                bcrypt.checkpw, secret, expected
            )
        if right and user in self._users:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[mark] = expected
        return right and user in self._users

    def _nobody(self) -> bytes:
        """A hash as costly as the others: ``htpasswd -B`` has its own idea of that."""
        first = next(iter(self._users.values()), b"$2b$12$")
        return first[:7] + _NOBODYS

    def _reload(self) -> None:
        if self.htpasswd is not None:
            self._users = read_htpasswd(self.htpasswd)
            facts = self.htpasswd.stat()
            self._stamp = (facts.st_mtime_ns, facts.st_ino)

    def _reload_if_changed(self) -> None:
        """A file that is being written, or wrong, leaves the users as they were."""
        assert self.htpasswd is not None  # noqa: S101 - the caller looked
        try:
            facts = self.htpasswd.stat()
            if (facts.st_mtime_ns, facts.st_ino) != self._stamp:
                self._reload()
        except (OSError, ConfigError):
            return
