"""The configuration as plain values, for people and for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

from lapstrake.config.model import Config, Origin, OriginKind
from lapstrake.config.read import OPEN_TABLES, all_settings
from lapstrake.errors import ConfigError

_BRANCHES = "branches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A setting, or an entry of a table, as it is shown.

    The value is ``None``, a text, a number, a truth, or a list of these.
    """

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


def show_entries(config: Config) -> Iterator[Shown]:
    """Every entry of the tables whose keys are the user's own, then where each branch is listed.

    The keys are those that `lapstrake.config.edit.set_value` takes, where it takes them.

    Raises:
        ConfigError: the folder of the branches' lists cannot be read.
    """
    for rule in config.rewrites:
        to = list(rule.replacements)
        value: object = (
            to if rule.key.startswith("mirrors.") else f"{rule.prefix} → {', '.join(to)}"
        )
        yield Shown(key=rule.key, value=value, origin=config.origin(rule.key))
    for name, package in config.dependency_names.items():
        key = f"dependency_names.{name}"
        yield Shown(key=key, value=package, origin=config.origin(key))
    for secret in config.secrets.values():
        key = f"secrets.{secret.name}"
        how, where = ("env", secret.env) if secret.env else ("file", str(secret.file))
        yield Shown(key=f"{key}.{how}", value=where, origin=config.origin(key))
    yield from _branches(config)


def find(config: Config, key: str) -> str:
    """The text of what a key names: a setting, an entry of a table, or a table's entries.

    Returns:
        a list's items one per line; for a table, ``NAME = VALUE`` one per line.

    Raises:
        ConfigError: there is no such key.
    """
    if key in all_settings():
        return show(config, key).text
    entries = {each.key: each for each in show_entries(config)}
    if key in entries:
        return entries[key].text
    table = f"{key}."
    below = {
        name.removeprefix(table): entry.text.replace("\n", " ")
        for name, entry in entries.items()
        if name.startswith(table)
    }
    if not below and key not in (*OPEN_TABLES, _BRANCHES):
        raise unknown_key(key)
    return "\n".join(f"{name} = {text}" for name, text in below.items())


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
                "origin": _plain_origin(each.origin),
            }
            for each in show_all(config)
        },
        "rewrites": [
            {
                "from": rule.prefix,
                "to": list(rule.replacements),
                "origin": _plain_origin(config.origin(rule.key)),
            }
            for rule in config.rewrites
        ],
        "dependency_names": {
            name: {
                "package": package,
                "origin": _plain_origin(config.origin(f"dependency_names.{name}")),
            }
            for name, package in config.dependency_names.items()
        },
        "secrets": {
            secret.name: {
                **({"env": secret.env} if secret.env else {"file": str(secret.file)}),
                "origin": _plain_origin(config.origin(f"secrets.{secret.name}")),
            }
            for secret in config.secrets.values()
        },
        "branches": [
            {"name": each.key.partition(".")[2], "file": each.value if each.origin.place else None}
            for each in _branches(config)
        ],
    }


def plain_text(value: object) -> str:
    """A plain value as a word: ``true``, not ``True``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _branches(config: Config) -> Iterator[Shown]:
    """Where each branch is listed; what a list says is not looked at."""
    from lapstrake.config.branches import BUILT_IN, built_in_list, list_files

    if config.folder is None:
        key, listed = f"{_BRANCHES}.{BUILT_IN}", built_in_list().origin
        yield Shown(key=key, value=listed, origin=Origin())
        return
    for file in list_files(config.folder):
        origin = Origin(kind=OriginKind.FILE, place=str(file.parent))
        yield Shown(key=f"{_BRANCHES}.{file.stem}", value=str(file), origin=origin)


def _plain_origin(origin: Origin) -> dict[str, str]:
    return {"kind": str(origin.kind), "place": origin.place}


def _items(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
