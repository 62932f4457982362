"""From the configuration to what the server needs; wrong ones are told before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lapstrake.config.model import Config, FarmConfig
from lapstrake.errors import ConfigError
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.model.queues import check_words
from lapstrake.farm.monitor.logs import LogForm
from lapstrake.farm.problems import Invalid
from lapstrake.farm.values.scopes import Scope
from lapstrake.web.access_log import AccessLog
from lapstrake.web.listening import check_tls, is_loopback, listen_address


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What the farm's server is started with.

    Attributes:
        config: the whole configuration.
        config_dir: its folder as named on the command line, for reading it again.
        overrides: settings of the command line, for reading it again and for the builder.
        access_log: how requests are told.
        log_format: how all else is.
    """

    config: Config
    config_dir: Path | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    access_log: AccessLog = AccessLog.TEXT
    log_format: LogForm = LogForm.TEXT


def check_settings(farm: FarmConfig) -> None:
    """Refuse what cannot work.

    Raises:
        ConfigError: it names the key.
    """
    listen_address(farm.listen, key="farm.listen")
    try:
        check_words((*farm.capabilities, *([farm.pool] if farm.pool else [])))
    except Invalid as wrong:
        raise ConfigError(
            f"farm.capabilities, farm.pool: {wrong.brief}", resolution=wrong.resolution
        ) from wrong
    if farm.fence_after >= farm.dead_after:
        raise ConfigError(
            f"farm.fence_after ({farm.fence_after:g} s) must be less than farm.dead_after"
            f" ({farm.dead_after:g} s)",
            resolution="A worker must have killed what it builds before others get it.",
        )
    if farm.heartbeat * 2 > farm.dead_after:
        raise ConfigError(
            f"farm.dead_after ({farm.dead_after:g} s) leaves no room for two heartbeats"
            f" ({farm.heartbeat:g} s each)",
            resolution="Make farm.heartbeat smaller, or farm.dead_after larger.",
        )
    if farm.tls_certificate is not None and not farm.url and farm.slots:
        raise ConfigError(
            "farm.url is empty: the server's own builder needs the name that is in the certificate",
            resolution="Set farm.url to https://NAME:PORT, or farm.slots to 0.",
        )
    check_tls(farm.tls_certificate, farm.tls_key, section="farm")


def check_access(farm: FarmConfig, tokens: Tokens) -> bool:
    """Refuse to let strangers do everything; gives whether only this machine reaches the server.

    Raises:
        ConfigError: it can be reached from elsewhere, and nobody could be told apart.
    """
    loopback = is_loopback(listen_address(farm.listen, key="farm.listen")[0])
    if loopback or any(token.scope is Scope.ADMIN for token in tokens.all()):
        return loopback
    raise ConfigError(
        f"farm.listen: {farm.listen} can be reached from elsewhere, and there is no admin's token",
        resolution="Make one with `lapstrake farm token add NAME --scope admin`, or listen on"
        " 127.0.0.1.",
    )
