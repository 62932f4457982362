"""Where deliveries may go: not into the server's own network, unless the configuration says so."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from lapstrake.farm.problems import Invalid

_PORTS = {"http": 80, "https": 443}


def check_url(url: str) -> SplitResult:
    """Read a webhook's address.

    Raises:
        Invalid: deliveries cannot go there.
    """
    advice = "Give an address like https://example.org/hook, without user, password or fragment."
    try:
        parts = urlsplit(url)
        plain = parts.port is None or parts.port > 0
    except ValueError as wrong:
        raise Invalid(f"url: {wrong}", resolution=advice) from None
    if parts.scheme not in _PORTS or not parts.hostname or not plain or not url.isascii():
        raise Invalid(f"url: {url!r} is no address of a web server", resolution=advice)
    if parts.username or parts.password or parts.fragment:
        raise Invalid("url: it has a user, a password or a fragment", resolution=advice)
    return parts


def reachable(parts: SplitResult, *, private: bool) -> str:
    """The address to connect to: looked up once, so that what was checked is what is used.

    Args:
        parts: of the URL.
        private: whether addresses of the server's own network are good, too.

    Raises:
        OSError: the name has no address, or none that is good.
    """
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    good = [text for text in addresses if private or _is_public(text)]
    if not good:
        raise OSError(
            f"{host} is an address of the server's own network; farm.webhook_private allows those"
        )
    return good[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global and not address.is_multicast
