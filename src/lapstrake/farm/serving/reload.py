"""The configuration read again while the server runs (SIGHUP)."""

from __future__ import annotations

import logging
import signal
import ssl
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from types import FrameType

from lapstrake.config.load import load_config
from lapstrake.config.model import Config, FarmConfig
from lapstrake.errors import LapstrakeError
from lapstrake.farm.serving.settings import ServeSettings, check_settings

_LOG = logging.getLogger("lapstrake.farm.serving")

_FIXED = frozenset(
    {
        "listen",
        "url",
        "database",
        "worker_database",
        "slots",
        "capabilities",
        "pool",
        "tls_certificate",
        "tls_key",
        "registry",
        "webhook_private",
        "stop_after",
        "disk_low",
    }
)
"""Settings of the farm that hold until the server is started again."""


def read_again(settings: ServeSettings, now: Config) -> Config:
    """The configuration as it should be from now on; what cannot change is told, and stays.

    Args:
        settings: where it is.
        now: the one that holds.

    Raises:
        ConfigError: it is wrong.
    """
    new = load_config(settings.config_dir, overrides=settings.overrides)
    check_settings(new.farm)
    for name in _changed(now.farm, new.farm):
        if name in _FIXED:
            _LOG.warning("farm.%s: changed, but holds until the server is started again", name)
        else:
            _LOG.info("farm.%s: changed", name)
    kept = {name: getattr(now.farm, name) for name in _FIXED}
    return replace(new, work_dir=now.work_dir, arch=now.arch, farm=replace(new.farm, **kept))


def on_hangup(
    settings: ServeSettings, now: Callable[[], Config], use: Callable[[Config], None]
) -> None:
    """Read the configuration again whenever the process gets SIGHUP; a wrong one changes nothing.

    Args:
        settings: where it is.
        now: gives the one that holds.
        use: makes another one hold.
    """

    def reload() -> None:
        try:
            use(read_again(settings, now()))
        except (LapstrakeError, ssl.SSLError, OSError) as wrong:
            brief = wrong.brief if isinstance(wrong, LapstrakeError) else str(wrong)
            _LOG.error("the configuration cannot be read again; the former one holds: %s", brief)
        else:
            _LOG.info("the configuration has been read again")

    def hear(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        threading.Thread(target=reload, name="reload", daemon=True).start()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, hear)


def _changed(old: FarmConfig, new: FarmConfig) -> list[str]:
    names = [each.name for each in fields(FarmConfig)]
    return [name for name in names if getattr(old, name) != getattr(new, name)]
