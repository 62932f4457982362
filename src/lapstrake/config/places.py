"""Where things are by default on this host, and where the configuration is looked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lapstrake.errors import ConfigError

FILE_NAME = "config.toml"
LISTS_NAME = "source_lists"
SYSTEM_DIRS = (Path("/etc/lapstrake"), Path("/etc/aoinb-builder"), Path("/var/cache/aoinb/conf"))
"""The system's folders of configuration; the last two are aoinb-builder's."""


def xdg_dir(variable: str, fallback: str) -> Path:
    """A base directory of the XDG specification (0.8): relative values are ignored.

    Args:
        variable: ``XDG_CONFIG_HOME`` ...
        fallback: relative to the home, ``.config`` ...

    Raises:
        ConfigError: the variable is not set and there is no home.
    """
    value = Path(os.environ.get(variable) or "")
    if value.is_absolute():
        return value
    try:
        return Path.home() / fallback
    except RuntimeError as homeless:
        raise ConfigError(
            "this user has no home directory", resolution=f"Set HOME or {variable}."
        ) from homeless


def user_dir() -> Path:
    """The user's own folder of configuration."""
    return xdg_dir("XDG_CONFIG_HOME", ".config") / "lapstrake"


def find_config_dir(asked: Path | None = None) -> Path | None:
    """The folder of configuration that holds.

    `asked` (``-c``), then ``$LAPSTRAKE_CONFIG``, then the first of the user's and the system's
    folders that has a ``config.toml``; ``None`` when there is none, and the built-in one holds.

    Raises:
        ConfigError: a folder was asked for that has no ``config.toml``.
    """
    named = os.environ.get("LAPSTRAKE_CONFIG")
    if asked is not None:
        return _asked_dir(asked, "-c")
    if named:
        return _asked_dir(Path(named), "LAPSTRAKE_CONFIG")
    for folder in (user_dir(), *SYSTEM_DIRS):
        if os.path.lexists(folder / FILE_NAME):
            return folder
    return None


def init_dir(asked: Path | None = None) -> Path:
    """Where a new configuration goes: the one asked for, or the user's (root: the system's)."""
    named = os.environ.get("LAPSTRAKE_CONFIG")
    if asked is not None or named:
        return Path(asked or named or "").absolute()
    return SYSTEM_DIRS[0] if os.geteuid() == 0 else user_dir()


def default_work_dir() -> Path:
    """``/var/lib/lapstrake`` for root, a folder of the user's data otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/lapstrake")
    return xdg_dir("XDG_DATA_HOME", ".local/share") / "lapstrake"


def default_download_dir() -> Path:
    """The folder of downloads in the user's cache."""
    return xdg_dir("XDG_CACHE_HOME", ".cache") / "lapstrake" / "downloads"


@cache
def os_release() -> Mapping[str, str]:
    """What the host says it is: the variables of os-release(5), empty when it does not say."""
    import platform  # only when the host's release matters

    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _asked_dir(asked: Path, how: str) -> Path:
    folder = asked.parent if asked.name == FILE_NAME and asked.is_file() else asked
    try:
        (folder / FILE_NAME).stat()
    except OSError as error:
        raise ConfigError(
            f"{folder} ({how}) is no configuration: {FILE_NAME}: {error.strerror}",
            resolution=f"Create one: lapstrake -c {folder} config init",
        ) from error
    return folder.absolute()


def host_codename() -> str:
    """The codename of the host's release (``bookworm``), empty when it does not say."""
    return os_release().get("VERSION_CODENAME", "")
