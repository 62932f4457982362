"""Repositories of registries: ``HOST[:PORT]/NAME``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One repository of a registry.

    Attributes:
        host: the registry, with its port.
        name: the repository's name there.
        plain: whether the registry is reached without TLS, wherever it is.
        anonymous: tell nobody there who we are, unless it is this machine.
    """

    host: str
    name: str
    plain: bool = False
    anonymous: bool = False

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def local(self) -> bool:
        """Whether the registry is on this very machine, where others cannot listen."""
        name = urlsplit(f"//{self.host}").hostname or ""
        try:
            return name == "localhost" or ip_address(name).is_loopback
        except ValueError:
            return False


def is_host(text: str) -> bool:
    """Whether this is a name or an address, with a port or without."""
    try:
        return bool(_HOST.match(text)) and urlsplit(f"//{text}").port != 0
    except ValueError:  # no address, or no port
        return False
