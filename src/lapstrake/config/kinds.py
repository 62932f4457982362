"""Kinds of values a setting can have: how to read one, and how to show it again.

A kind reads what TOML gives (text, numbers, truths, lists) and raises `ValueError` with a sentence
that ends "... is ...": the caller adds file, line and key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from lapstrake.config.units import (
    MOST,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)
from lapstrake.names import Arch, Digest

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=StrEnum)

AOSC_ARCHES = {
    "loongarch64": Arch.LOONG64,
    "loongson3": Arch.MIPS64EL,
    "armv7hf": Arch.ARMHF,
    "i486": Arch.I386,
}
"""AOSC's names of architectures, where they are not Debian's."""

_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST = re.compile(r"(?:(sha256|sha384|sha512):)?([0-9a-f]+)\Z")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T_co]):
    """A kind of value.

    Attributes:
        read: from what TOML gives; raises ValueError.
        plain: from the text of an environment variable or an argument to what TOML would give.
        show: to what TOML and JSON can hold; `read` accepts it.
        example: what the starting file shows when there is no default.
    """

    read: Callable[[object], T_co]
    plain: Callable[[str], object] = str
    show: Callable[[object], object] = str
    example: object = ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text in quotes")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _flag_from_text(text: str) -> object:
    return _TRUTHS.get(text.strip().lower(), text)


def _number_from_text(text: str) -> object:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def whole_number(*, least: int) -> Kind[int]:
    """A whole number, not less than `least`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
            raise ValueError(f"{value!r} is not a whole number from {least}")
        return value

    return Kind(read=read, plain=_number_from_text, show=lambda value: value, example=4)


def _positive(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ValueError(f"{value!r} is not a number above 0")
    return float(value)


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
        return value
    return parse_size(_text_or(value, "a size in quotes"))


def _duration(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
        return float(value)
    return parse_duration(_text_or(value, "a duration in quotes"))


def above_zero(kind: Kind[T]) -> Kind[T]:
    """The same kind without zero."""

    def read(value: object) -> T:
        found = kind.read(value)
        if not found:
            raise ValueError(f"{value!r} is nothing")
        return found

    return replace(kind, read=read)


def _text_or(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not {what}, nor a number")
    return value


def _absolute(value: object) -> Path:
    path = _folder(value)
    if not path.is_absolute():
        raise ValueError(f"{value!r} is not an absolute path")
    return path


def _folder(value: object) -> Path:
    text = _text(value)
    if not text.strip():
        raise ValueError("the path is empty")
    if "\0" in text:
        raise ValueError(f"{text!r} is not a path")
    try:
        return Path(text).expanduser()
    except RuntimeError as unknown:
        raise ValueError(f"{text!r} names a home that is not there") from unknown


def _arch(value: object) -> Arch:
    name = _text(value)
    if name in AOSC_ARCHES:
        return AOSC_ARCHES[name]
    try:
        return Arch(name)
    except ValueError:
        known = ", ".join(sorted({*Arch, *AOSC_ARCHES}))
        raise ValueError(f"{name!r} is not an architecture that we know ({known})") from None


def _digest(value: object) -> Digest | None:
    text = _text(value).strip().lower()
    if not text:
        return None
    found = _DIGEST.match(text)
    if found is None:
        raise ValueError(f'{value!r} is not a checksum such as "sha256:<64 hexadecimal digits>"')
    algorithm = found.group(1) or "sha256"
    if len(found.group(2)) != _DIGEST_LENGTHS[algorithm]:
        raise ValueError(f"{value!r} has not the length of a {algorithm} checksum")
    return Digest(algorithm, found.group(2))


def choice(enum: type[E]) -> Kind[E]:
    """One of the words of an enumeration."""

    def read(value: object) -> E:
        try:
            return enum(_text(value))
        except ValueError:
            words = ", ".join(f'"{word}"' for word in enum)
            raise ValueError(f"{value!r} is none of {words}") from None

    return Kind(read=read)


def many(kind: Kind[T], *, separator: str | None = None) -> Kind[tuple[T, ...]]:
    """A list of values, or one value; as text, they are divided by blanks or the separator."""

    def read(value: object) -> tuple[T, ...]:
        items = value if isinstance(value, list) else [value]
        return tuple(kind.read(item) for item in items)

    def plain(text: str) -> object:
        return [kind.plain(part) for part in text.split(separator) if part]

    def show(value: object) -> object:
        return [kind.show(item) for item in value] if isinstance(value, tuple) else []

    return Kind(read=read, plain=plain, show=show)


TEXT = Kind(read=_text)
FLAG = Kind(read=_flag, plain=_flag_from_text, show=lambda value: value)
NUMBER = Kind(read=_positive, plain=_number_from_text, show=lambda value: value, example=1.5)
SIZE = Kind(
    read=_size,
    show=lambda value: format_size(value) if isinstance(value, int) else value,
    example="4GiB",
)
DURATION = Kind(
    read=_duration,
    show=lambda value: format_duration(value) if isinstance(value, int | float) else value,
    example="2h",
)
ABSOLUTE_PATH = Kind(read=_absolute, example="/path")
PATH = Kind(read=_folder, example="/path")
ARCH = Kind(read=_arch)
DIGEST = Kind(read=_digest)
TEXTS = many(TEXT)
PATHS = many(PATH, separator=os.pathsep)
