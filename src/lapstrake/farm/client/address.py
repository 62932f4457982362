"""What a client is told of its farm: an address, a token; refused before anything is sent."""

from __future__ import annotations

from urllib.parse import urlsplit

from lapstrake.errors import FarmError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def checked_url(url: str) -> str:
    """The address without the slash at its end.

    Raises:
        FarmError: it cannot be a server's, or has a token in it.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or parts.username is not None:
        raise FarmError(
            f"{url.rpartition('@')[2]!r} is no address of a farm's server",
            resolution="Set farm.server (or $LAPSTRAKE_SERVER) to http://HOST:PORT or "
            "https://HOST; a token goes into a file, or $LAPSTRAKE_TOKEN.",
        )
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """The token, which must fit into a header.

    Raises:
        FarmError: it does not.
    """
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise FarmError(
            "the token has characters that no token has",
            resolution="Copy the whole line that `lapstrake farm token add` printed, and no more.",
        )
    return token


def is_on_this_machine(url: str) -> bool:
    """Whether an address is this machine's own, which no proxy could reach."""
    return urlsplit(url).hostname in _LOOPBACK
