"""What only the farm needs may not be installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from lapstrake.errors import ConfigError


@contextmanager
def needs_farm() -> Iterator[None]:
    """Around imports of the farm's parts.

    Raises:
        ConfigError: a library is missing; it says how to get it.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == "lapstrake":
            raise
        raise ConfigError(
            f"the farm needs {missing.name}, which is not installed",
            resolution="Install it with: pip install 'lapstrake[farm]'",
        ) from missing


def require_farm() -> None:
    """Make sure that the engine's library is there, where only processes of ours import it.

    Raises:
        ConfigError: it is not.
    """
    with needs_farm():
        if find_spec("dbos") is None:
            raise ModuleNotFoundError(name="dbos")
