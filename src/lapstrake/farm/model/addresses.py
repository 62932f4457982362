"""Addresses of databases, in the one form that all who read them understand."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

_WRITABLE = {"target_session_attrs": "read-write"}


def with_hosts_apart(url: str) -> str:
    """A PostgreSQL URL of several hosts, these in its query; any other URL as it is.

    libpq takes ``//USER@A:1,B:2/NAME`` and ``//USER@/NAME?host=A,B&port=1,2``, SQLAlchemy only the
    latter. Of several hosts we want the one that can be written, unless the URL says otherwise.

    Args:
        url: as the configuration has it.
    """
    scheme, there, rest = url.partition("://")
    authority, slash, tail = rest.partition("/")
    user, at, listed = authority.rpartition("@")
    if not there or "," not in listed:
        return url
    name, _, query = tail.partition("?")
    hosts, ports = zip(*(_parted(each) for each in listed.split(",")), strict=True)
    said = {"host": ",".join(hosts)}
    if any(ports):
        said["port"] = ",".join(ports)
    if not parse_qs(query).keys() >= _WRITABLE.keys():
        said |= _WRITABLE
    more = "&".join(part for part in (urlencode(said), query) if part)
    return f"{scheme}://{user}{at}{slash}{name}?{more}"


def _parted(host: str) -> tuple[str, str]:
    """A host and its port, which may be empty; IPv6's brackets are not part of it."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, ""
    return name.removeprefix("[").removesuffix("]"), port
