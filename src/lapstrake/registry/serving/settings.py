"""From the configuration to what the server needs; wrong ones are told before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lapstrake.config.model import Config, RegistryConfig
from lapstrake.errors import ConfigError
from lapstrake.registry.access.passwords import Passwords, read_token
from lapstrake.registry.names import repository_name
from lapstrake.registry.problems import Problem
from lapstrake.web.access_log import AccessLog
from lapstrake.web.listening import check_tls, is_loopback, listen_address


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
    host, _ = listen_address(registry.listen, key="registry.listen")
    open_to_look = registry.anonymous_pull and registry.read_only
    if not passwords(registry).any and not open_to_look and not is_loopback(host):
        raise ConfigError(
            f"registry.listen: {registry.listen} can be reached from elsewhere, and nobody is asked"
            " for credentials",
            resolution="Set registry.htpasswd or registry.token_file; or set both"
            " registry.anonymous_pull and registry.read_only; or listen on 127.0.0.1.",
        )
    check_namespaces(registry)
    check_tls(registry.tls_certificate, registry.tls_key, section="registry")


def check_namespaces(registry: RegistryConfig) -> None:
    """Refuse namespaces that no name can begin with.

    Raises:
        ConfigError: it names the one.
    """
    for namespace in registry.namespaces:
        try:
            plain = "/" not in repository_name(namespace)
        except Problem:
            plain = False
        if not plain:
            raise ConfigError(f"registry.namespaces: {namespace!r} cannot be one part of a name")
