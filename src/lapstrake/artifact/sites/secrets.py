"""Texts with secrets in them: filled in when they are sent, and left out when they are shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from lapstrake.artifact.sites.base import SiteError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a forge knows its user by.

    Attributes:
        value: the secret; in no message.
        origin: where it is from, for messages: a variable's name.
    """

    value: str = field(repr=False)
    origin: str


def filled(text: str, environment: Mapping[str, str]) -> str:
    """Put variables' values in the place of ``${VARIABLE}``.

    Raises:
        SiteError: one is not set, or the result cannot be sent; no value is named.
    """
    names = _VARIABLE.findall(text)
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise SiteError(f"needs the variable {missing[0]}, which is not set")
    result = _VARIABLE.sub(lambda match: environment[match[1]].strip(), text)
    return _sendable(result, ", ".join(names) or "the site")


def first_token(names: tuple[str, ...], text: str, environment: Mapping[str, str]) -> Token | None:
    """Find a token: the first variable that is set, else the site's own text.

    Args:
        names: the variables, in order.
        text: the site's own, perhaps with ``${VARIABLE}``; empty for none.
        environment: our own.

    Raises:
        SiteError: the token cannot be sent. A variable in `text` that is not set is no token.
    """
    for name in names:
        if value := environment.get(name, "").strip():
            return Token(value=_sendable(value, name), origin=name)
    wanted = _VARIABLE.findall(text)
    if not text or not all(environment.get(name) for name in wanted):
        return None
    return Token(value=filled(text, environment), origin=", ".join(wanted) or "the site's token")


def is_trusted(url: str, trusted: Collection[str]) -> bool:
    """Whether a server is among those that may see secrets; see `Terms.trusted`."""
    return any(
        origin_of(each if "://" in each else f"https://{each}") == origin_of(url)
        for each in trusted
    )


def refuse_secrets(url: str, texts: Iterable[str], trusted: Collection[str]) -> None:
    """See that a package that was fetched sends none of our variables to a server of its choice.

    Raises:
        SiteError: it would.
    """
    names = [name for text in texts for name in _VARIABLE.findall(text)]
    if names and not is_trusted(url, trusted):
        host = urlsplit(url).netloc
        raise SiteError(
            f"wants the variable {names[0]}, which is not sent where a fetched package says;"
            f" if {host} may know it, add it to artifacts.trusted"
        )


def _sendable(value: str, origin: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise SiteError(f"what {origin} says has characters that cannot be sent")
    return value


def shown_url(url: str) -> str:
    """A URL without its user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return url.partition("?")[0]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: who it is that is asked.

    Raises:
        SiteError: it is no URL of the web.
    """
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname
        port = parts.port or (443 if scheme == "https" else 80)
    except ValueError as wrong:
        raise SiteError(f"{shown_url(url)!r} is no URL: {wrong}") from wrong
    if scheme not in ("http", "https") or not host:
        raise SiteError(f"{shown_url(url)!r} is no URL of the web")
    return scheme, host, port
