"""From the configuration to what the server needs; wrong ones are told before anything starts."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from lapstrake.config.model import Config, RegistryConfig
from lapstrake.errors import ConfigError
from lapstrake.registry.access.passwords import Passwords, read_token
from lapstrake.registry.names import repository_name
from lapstrake.registry.problems import Problem
from lapstrake.registry.serving.access_log import AccessLog

_LISTEN = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What a server is started with; can be sent to its worker processes.

    Attributes:
        config: the whole configuration.
        overrides: settings of the command line, for programs that the server starts.
        access_log: how requests are told.
    """

    config: Config
    overrides: Mapping[str, str] = field(default_factory=dict)
    access_log: AccessLog = AccessLog.TEXT


def listen_address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT`` or ``[IPv6]:PORT``; no host is every address of this machine.

    Raises:
        ConfigError: it is neither.
    """
    found = _LISTEN.match(text)
    if found is None or int(found["port"]) > 65535:
        raise ConfigError(
            f"registry.listen: {text!r} is no address and port",
            resolution="Write it like 127.0.0.1:5000 or [::1]:5000.",
        )
    return found["v6"] or found["host"] or "0.0.0.0", int(found["port"])  # noqa: S104 - as asked


def passwords(registry: RegistryConfig) -> Passwords:
    """The credentials that are right.

    Raises:
        ConfigError: a file of them is wrong.
    """
    token = read_token(registry.token_file) if registry.token_file is not None else ""
    return Passwords(htpasswd=registry.htpasswd, token=token)


def check_settings(registry: RegistryConfig) -> None:
    """Refuse what cannot work, and what would let strangers do everything.

    Raises:
        ConfigError: it names the key.
    """
    host, _ = listen_address(registry.listen)
    open_to_look = registry.anonymous_pull and registry.read_only
    if not passwords(registry).any and not open_to_look and not _is_loopback(host):
        raise ConfigError(
            f"registry.listen: {registry.listen} can be reached from elsewhere, and nobody is asked"
            " for credentials",
            resolution="Set registry.htpasswd or registry.token_file; or set both"
            " registry.anonymous_pull and registry.read_only; or listen on 127.0.0.1.",
        )
    for namespace in registry.namespaces:
        _check_namespace(namespace)
    _check_tls(registry)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_namespace(namespace: str) -> None:
    try:
        plain = "/" not in repository_name(namespace)
    except Problem:
        plain = False
    if not plain:
        raise ConfigError(f"registry.namespaces: {namespace!r} cannot be one part of a name")


def _check_tls(registry: RegistryConfig) -> None:
    certificate, key = registry.tls_certificate, registry.tls_key
    if certificate is None:
        if key is not None:
            raise ConfigError("registry.tls_key is set, but not registry.tls_certificate")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as failed:
        raise ConfigError(
            f"registry.tls_certificate: {certificate} cannot be used: {failed.strerror or failed}",
            resolution="Give a certificate and its key (registry.tls_key), both in PEM.",
        ) from failed
