"""Pydantic's findings as a message for people: file, line, key, and the key that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from lapstrake.errors import LapstrakeError
from lapstrake.formats.toml_lines import line_of

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails


_PLAIN = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "string_type": "must be a text",
}
"""Findings in the words of TOML instead of Python's."""


def as_error(
    error: ValidationError,
    *,
    file: Path,
    text: str,
    model: type[BaseModel],
    kind: type[LapstrakeError],
    described: str,
    elsewhere: Mapping[str, str] | None = None,
) -> LapstrakeError:
    """Turn a validation error into ours: the first finding is the brief, others the details.

    Args:
        error: what pydantic found.
        file: the TOML file.
        text: its text.
        model: what it was read as.
        kind: the class of our error.
        described: the page that describes the format.
        elsewhere: keys of other programs' formats, and what they are here.
    """
    known = elsewhere or {}
    findings = sorted(
        {
            _finding(item, text=text, model=model, elsewhere=known)
            for item in error.errors(include_url=False)
        }
    )
    lines = [f"{file}:{line}: {problem}" for line, problem in findings]
    return kind(
        lines[0],
        details="\n".join(lines[1:]),
        resolution=f"The format is described by docs/reference/{described}.",
    )


def _finding(
    item: ErrorDetails, *, text: str, model: type[BaseModel], elsewhere: Mapping[str, str]
) -> tuple[int, str]:
    location = _location(item["loc"])
    key = _dotted(location)
    kind = item["type"]
    if kind == "extra_forbidden":
        unknown = str(location[-1])
        close = difflib.get_close_matches(unknown, _known(model, location[:-1]), n=1)
        meant = elsewhere.get(unknown) or "".join(close)
        problem = f"unknown key {key}{f', did you mean {meant}?' if meant else ''}"
    elif kind == "missing":
        problem = f"the key {key} is missing"
    elif kind == "string_pattern_mismatch":
        problem = f"{key}: {item['input']!r} does not match {item['ctx']['pattern']}"
    elif kind == "value_error":
        problem = str(item["ctx"]["error"]) if "ctx" in item else item["msg"]
        problem = f"{key}: {problem}" if key else problem
    elif kind in _PLAIN:
        problem = f"{key}: {_PLAIN[kind]}"
    else:
        message = item["msg"][:1].lower() + item["msg"][1:]
        problem = (
            f"{key}: {message.replace('input should', 'must').replace('string should', 'must')}"
        )
    return line_of(text, location), problem


def _location(parts: Sequence[str | int]) -> tuple[str | int, ...]:
    """Leave out what pydantic adds for unions and dictionary keys: that is no key of the file."""
    return tuple(
        part
        for part in parts
        if isinstance(part, int) or not (part == "[key]" or part == "str" or "[" in part)
    )


def _dotted(location: Sequence[str | int]) -> str:
    words = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in location)
    return words.removeprefix(".")


def _known(model: type[BaseModel], location: Sequence[str | int]) -> Sequence[str]:
    """List the keys that the table at a location may have."""
    fields: Mapping[str, Any] = model.model_fields
    for part in location:
        if isinstance(part, int) or part not in fields:
            continue
        inner = _model_in(fields[part].annotation)
        fields = inner.model_fields if inner else {}
    return list(fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Find the model in an annotation such as ``list[Output] | None``."""
    if hasattr(annotation, "model_fields"):
        return annotation  # type: ignore[return-value]
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)
