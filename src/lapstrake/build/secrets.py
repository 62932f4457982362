"""Secrets that bundles ask for: read when a build starts, held in memory only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from lapstrake.config.model import Secret
from lapstrake.errors import ConfigError


def read_secrets(names: Iterable[str], configured: Mapping[str, Secret]) -> dict[str, bytes]:
    """Read the secrets a bundle asks for.

    Raises:
        ConfigError: the configuration does not allow one, or it cannot be read.
    """
    return {name: _read(name, configured.get(name)) for name in names}


def _read(name: str, secret: Secret | None) -> bytes:
    if secret is None:
        raise ConfigError(
            f"the bundle asks for the secret {name!r}, which the configuration does not give",
            resolution=f'Allow it in [secrets]: {name} = {{ env = "VARIABLE" }}, or file = "…".',
        )
    if secret.file is not None:
        try:
            return secret.file.read_bytes()
        except OSError as refused:
            raise ConfigError(f"secrets.{name}: {secret.file}: {refused.strerror}") from refused
    if secret.env not in os.environ:
        raise ConfigError(f"secrets.{name}: the variable {secret.env} is not set")
    return os.environ[secret.env].encode()
