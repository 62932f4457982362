"""Where a server listens, and the certificate that it shows there."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
from pathlib import Path

from lapstrake.errors import ConfigError

_LISTEN = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})\Z")
_BACKLOG = 2048
_ADVICE = {
    errno.EADDRINUSE: "Choose another address with --listen, or end what uses this one.",
    errno.EACCES: "Ports below 1024 are root's: choose another one with --listen.",
    errno.EADDRNOTAVAIL: "This machine has no such address: choose another one with --listen.",
}


def listen_address(text: str, *, key: str) -> tuple[str, int]:
    """Read ``HOST:PORT`` or ``[IPv6]:PORT``; no host is every address of this machine.

    Args:
        text: what was set.
        key: the setting's name, for the error.

    Raises:
        ConfigError: it is neither.
    """
    found = _LISTEN.match(text)
    if found is None or int(found["port"]) > 65535:
        raise ConfigError(
            f"{key}: {text!r} is no address and port",
            resolution="Write it like 127.0.0.1:5000 or [::1]:5000.",
        )
    return found["v6"] or found["host"] or "0.0.0.0", int(found["port"])  # noqa: S104 - as asked


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(text: str, *, key: str) -> socket.socket:
    """Take an address.

    Raises:
        ConfigError: it is wrong, or somebody else's.
    """
    host, port = listen_address(text, key=key)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only sockets that say that they are TCP's get TCP_NODELAY from asyncio.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as refused:
        listener.close()
        raise ConfigError(
            f"{key}: {text}: {refused.strerror or refused}",
            resolution=_ADVICE.get(refused.errno or 0, "Choose another address with --listen."),
        ) from refused
    return listener


def address_of(listener: socket.socket, *, tls: bool) -> str:
    """The URL by which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def check_tls(certificate: Path | None, key: Path | None, *, section: str) -> None:
    """Refuse a certificate that cannot be shown.

    Args:
        certificate: of the server, PEM; ``None`` for no TLS.
        key: its key; ``None`` when both are in one file.
        section: of the configuration, for the error.

    Raises:
        ConfigError: it names the setting.
    """
    if certificate is None:
        if key is not None:
            raise ConfigError(f"{section}.tls_key is set, but not {section}.tls_certificate")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as failed:
        raise ConfigError(
            f"{section}.tls_certificate: {certificate} cannot be used: {failed.strerror or failed}",
            resolution=f"Give a certificate and its key ({section}.tls_key), both in PEM.",
        ) from failed
