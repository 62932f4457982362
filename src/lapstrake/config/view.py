"""The configuration as plain values, for people and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from lapstrake.config.model import Config, Origin
from lapstrake.config.read import all_settings
from lapstrake.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting as it is shown: ``None``, a text, a number, a truth, or a list of these."""

    key: str
    value: object
    origin: Origin

    @property
    def text(self) -> str:
        """The value for people; empty when there is none."""
        return "\n".join(plain_text(item) for item in _items(self.value))


def show_all(config: Config) -> tuple[Shown, ...]:
    """Every setting, in order."""
    return tuple(show(config, key) for key in all_settings())


def show(config: Config, key: str) -> Shown:
    """One setting.

    Raises:
        ConfigError: there is no such key.
    """
    setting = all_settings().get(key)
    if setting is None:
        raise unknown_key(key)
    value = reduce(getattr, key.split("."), config)
    plain = None if value is None else setting.kind.show(value)
    return Shown(key=key, value=plain, origin=config.origin(key))


def unknown_key(key: str) -> ConfigError:
    """The error for a key that does not exist, with the nearest that does."""
    from difflib import get_close_matches

    near = get_close_matches(key, all_settings(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ConfigError(
        f"there is no key {key!r}{hint}", resolution="`lapstrake config` shows all keys."
    )


def as_document(config: Config) -> Mapping[str, object]:
    """Everything, as JSON can hold it. Secrets are named; their values are not even read."""
    return {
        "folder": str(config.folder) if config.folder else None,
        "settings": {
            each.key: {
                "value": each.value,
                "origin": {"kind": str(each.origin.kind), "place": each.origin.place},
            }
            for each in show_all(config)
        },
        "rewrites": [
            {"from": rule.prefix, "to": list(rule.replacements)} for rule in config.rewrites
        ],
        "dependency_names": dict(config.dependency_names),
        "secrets": {
            secret.name: {"env": secret.env} if secret.env else {"file": str(secret.file)}
            for secret in config.secrets.values()
        },
    }


def plain_text(value: object) -> str:
    """A plain value as a word: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _items(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
