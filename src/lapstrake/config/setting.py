"""A setting as a dataclass field that knows its kind, its help and its environment variables.

The dataclasses of `lapstrake.config.model` are the one table of all settings: reading files and the
environment, ``lapstrake config`` and the starting file all follow from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, cast

from lapstrake.config.kinds import Kind

T = TypeVar("T")

_METADATA = "setting"
_UNSET: Any = MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of a setting beside its value.

    Attributes:
        key: its full name, ``limits.memory``.
        kind: how it is read and shown.
        help: one line on what it does.
        variables: environment variables that set it, strongest first.
    """

    key: str
    kind: Kind[object]
    help: str
    variables: tuple[str, ...]


def setting(
    kind: Kind[T],
    help_text: str,
    *,
    default: T = _UNSET,
    factory: Callable[[], T] = _UNSET,
    variables: tuple[str, ...] = (),
) -> T:
    """Declare a field.

    Args:
        kind: how it is read and shown.
        help_text: one line on what it does.
        default: its value when nothing sets it; or
        factory: makes that value from what the host is.
        variables: environment variables beside ``LAPSTRAKE_<KEY>``, strongest first.
    """
    metadata = {_METADATA: (kind, help_text, variables)}
    one: dict[str, Any] = {"default": default, "default_factory": factory}
    made: Any = field(**one, metadata=metadata)
    return cast(T, made)


def section(kind: type[T]) -> T:
    """Declare a field that is a table of settings, a dataclass with defaults for everything."""
    made: Any = field(default_factory=kind, metadata={_METADATA: kind})
    return cast(T, made)


def settings_of(kind: type, prefix: str = "") -> Iterator[Setting]:
    """All settings of a dataclass and its sections, in order."""
    if not is_dataclass(kind):
        raise TypeError(f"{kind} is not a dataclass")
    for each in fields(kind):
        declared = each.metadata.get(_METADATA)
        if isinstance(declared, type):
            yield from settings_of(declared, f"{prefix}{each.name}.")
        elif declared is not None:
            value_kind, help_text, more = declared
            key = prefix + each.name
            own = "LAPSTRAKE_" + key.upper().replace(".", "_")
            yield Setting(key=key, kind=value_kind, help=help_text, variables=(own, *more))


def sections_of(kind: type) -> dict[str, type]:
    """The sections of a dataclass by their names."""
    if not is_dataclass(kind):
        raise TypeError(f"{kind} is not a dataclass")
    declared = {each.name: each.metadata.get(_METADATA) for each in fields(kind)}
    return {name: value for name, value in declared.items() if isinstance(value, type)}
