"""What the models of TOML files that people write are made of; importing this loads pydantic."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from lapstrake.config.units import parse_duration, parse_size


class Table(BaseModel):
    """A table with known keys only; texts are no numbers, and numbers no texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def _relative(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"{text!r} must be relative and stay below its folder")
    return text


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("must be one line of text, and not empty")
    return text


def _commands(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    for item in items:
        words = item if isinstance(item, list) and isinstance(value, list) else [item]
        if not all(isinstance(word, str) for word in words):
            raise ValueError("must be shell text, or a list of commands")
    return value


def _size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


RelativePath = Annotated[str, Field(min_length=1), AfterValidator(_relative)]
"""A path or glob that stays below the folder it is relative to."""
Line = Annotated[str, AfterValidator(_one_line)]
"""One line of text."""
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""An environment variable's name."""
Commands = Annotated[str | list[str | list[str]], BeforeValidator(_commands)]
"""Shell text, or a list of commands: each a line of shell text, or a list of words."""
Size = Annotated[int, BeforeValidator(_size, json_schema_input_type=int | str)]
"""Bytes, or a text such as ``"2GiB"``."""
Duration = Annotated[float, BeforeValidator(_duration, json_schema_input_type=float | str)]
"""Seconds, or a text such as ``"1h30m"``."""
