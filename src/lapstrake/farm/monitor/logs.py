"""What servers and workers tell of themselves: lines for people, or JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_about: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed
_TOLD = "it is in the log already"
_LOUD = {"lapstrake": logging.INFO, "uvicorn": logging.INFO}
_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))}


class LogForm(StrEnum):
    """How it is told."""

    TEXT = "text"
    JSON = "json"


def start_logs(form: LogForm, stream: TextIO | None = None) -> None:
    """Have everything told in one form: our own words, and the libraries' warnings.

    Args:
        form: lines for people, or one JSON object a line.
        stream: where to; standard error when ``None``.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form is LogForm.JSON else _Text())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name, level in _LOUD.items():
        logger = logging.getLogger(name)
        logger.handlers.clear()  # uvicorn brings its own
        logger.propagate = True
        logger.setLevel(level)
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def mark_told(failed: BaseException) -> None:
    """Remember that an error is in the log: whoever catches it next need not tell it again.

    Args:
        failed: what was raised, and is raised again.
    """
    failed.add_note(_TOLD)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether an error that came through to the HTTP server is not known already.

    What a second signal to stop cuts off is no error.
    """
    failed = record.exc_info[1] if record.exc_info else None
    return not isinstance(failed, CancelledError) and _TOLD not in getattr(failed, "__notes__", ())


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Say what all that is told inside the block is about: ``task``, ``attempt``, ``worker``."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _Text(logging.Formatter):
    """``TIME LEVEL what [task=7 attempt=1]``; only a traceback takes more lines."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in _about.get().items())
        words = [_time(record), record.levelname.lower(), record.getMessage()]
        line = " ".join([*words, *([f"[{fields}]"] if fields else [])]).translate(_CONTROL)
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


class _Json(logging.Formatter):
    """One object a line: ``time``, ``level``, ``logger``, ``message`` and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get(),
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str)
