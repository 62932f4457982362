"""Values as JSON and back: what was read once need not be read again.

Reading a ``lapstrake.toml`` loads pydantic, which takes as long as the rest of a command that has
nothing to do. The record of what was read takes a hundredth of that.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from lapstrake import __version__
from lapstrake.host.files import write_atomic

_Value = TypeVar("_Value")


def dump(value: object) -> bytes:
    """Write a value (of dataclasses, enums, tuples, mappings, paths, bytes) as JSON."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")).encode()


def load(kind: type[_Value], data: bytes) -> _Value:
    """Read what `dump` has written.

    Dataclasses that are alternatives to each other are told apart by the names of their fields.

    Args:
        kind: the dataclass that was written.
        data: the JSON.

    Raises:
        ValueError: it is something else, or from another version.
    """
    try:
        value = _typed(kind, json.loads(data))
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError(f"not the record of a {kind.__name__}: {wrong!r}") from wrong
    if not isinstance(value, kind):
        raise ValueError(f"not the record of a {kind.__name__}")
    return value


def remembered(
    kind: type[_Value], folder: Path, *, inputs: Mapping[str, bytes], read: Callable[[], _Value]
) -> _Value:
    """Return the record of a value that was read from the same inputs, or read it and keep it.

    Args:
        kind: the value's dataclass.
        folder: where records are kept; any of them may be deleted at any time.
        inputs: all that the reader's answer depends on, by name; its own version too.
        read: reads the value.
    """
    summary = hashlib.sha256()
    for name, data in sorted(inputs.items()):
        summary.update(f"{name}\0{len(data)}\0".encode() + data)
    record = folder / f"{summary.hexdigest()}.json"
    try:
        return load(kind, record.read_bytes())
    except (OSError, ValueError):
        value = read()
    with suppress(OSError):  # a record only saves time
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(record, dump(value), durable=False)
    return value


def reader_version(*folders: Path) -> bytes:
    """What changes when a reader does, also while somebody works on it.

    Args:
        folders: where the reader's modules are.
    """
    files = (path for folder in folders for path in sorted(folder.glob("*.py")))
    stats = ((path.name, path.stat()) for path in files)
    lines = [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]
    return "\n".join([__version__, *lines]).encode()


def _plain(value: object) -> object:
    """Turn a value into what JSON has."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, PurePath | Enum) else value


def _typed(kind: Any, value: Any) -> object:  # noqa: ANN401 - JSON, and types as values
    """Turn what JSON has back into a value of a type."""
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return _typed(_choice(get_args(kind), value), value)
    if kind is NoneType:
        return None
    if _has_fields(kind):
        return kind(**{name: _typed(of, value[name]) for name, of in _fields(kind).items()})
    if get_origin(kind) is tuple:
        return tuple(_typed(get_args(kind)[0], inner) for inner in value)
    if get_origin(kind) is Mapping:
        return {key: _typed(get_args(kind)[1], inner) for key, inner in value.items()}
    if kind is bytes:
        return base64.b64decode(value, validate=True)
    if kind in (str, bool, int, float):
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
        return value
    return kind(value)  # a path or an enum


def _choice(kinds: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401 - types as values
    """Find the one of several types that a value was of."""
    if value is None:
        return NoneType
    for kind in kinds:
        names = _fields(kind).keys() if _has_fields(kind) else None
        if kind is not NoneType and names == (value.keys() if isinstance(value, dict) else None):
            return kind
    raise TypeError(f"{value!r} is none of {kinds}")


def _has_fields(kind: Any) -> bool:  # noqa: ANN401 - types as values
    return is_dataclass(kind)


@cache
def _fields(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401 - types as values
    """The types of a dataclass's fields, by name; their annotations are slow to evaluate."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
