"""A bundle as JSON and back: what was read once need not be read again.

Reading a native bundle loads pydantic, which takes as long as the rest of a build that has nothing
to do. The record of a bundle takes a hundredth of that.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from lapstrake.bundle.base import Bundle
from lapstrake.host.files import write_atomic


def dump(bundle: Bundle) -> bytes:
    """Write a bundle as JSON."""
    return json.dumps(_plain(bundle), ensure_ascii=False, separators=(",", ":")).encode()


def load(data: bytes) -> Bundle:
    """Read what `dump` has written.

    Raises:
        ValueError: it is something else, or from another version.
    """
    try:
        bundle = _typed(Bundle, json.loads(data))
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError(f"not the record of a bundle: {wrong!r}") from wrong
    if not isinstance(bundle, Bundle):
        raise ValueError("not the record of a bundle")
    return bundle


def remembered(folder: Path, *, inputs: Mapping[str, bytes], read: Callable[[], Bundle]) -> Bundle:
    """Return the record of a bundle that was read from the same inputs, or read it and keep it.

    Args:
        folder: where records are kept; any of them may be deleted at any time.
        inputs: all that the reader's answer depends on, by name; its own version too.
        read: reads the bundle.
    """
    summary = hashlib.sha256()
    for name, data in sorted(inputs.items()):
        summary.update(f"{name}\0{len(data)}\0".encode() + data)
    record = folder / f"{summary.hexdigest()}.json"
    try:
        return load(record.read_bytes())
    except (OSError, ValueError):
        bundle = read()
    with suppress(OSError):  # a record only saves time
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(record, dump(bundle), durable=False)
    return bundle


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
    return str(value) if isinstance(value, Path | Enum) else value


def _typed(kind: Any, value: Any) -> object:  # noqa: ANN401 - JSON, and types as values
    """Turn what JSON has back into a value of a type."""
    if isinstance(kind, UnionType):  # only X | None occurs
        (inner,) = (choice for choice in get_args(kind) if choice is not NoneType)
        return None if value is None else _typed(inner, value)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        given = {field.name: _typed(hints[field.name], value[field.name]) for field in fields(kind)}
        return kind(**given)  # type: ignore[operator]
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
