"""Answers that took a while to get, kept under a hash of all that they depend on."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lapstrake.host import files
from lapstrake.names import CacheKey
from lapstrake.place.workplace import Workplace

_KEPT_SECONDS = 30 * 24 * 3600.0


def recall(place: Workplace, question: CacheKey) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The answer to a question; ``None`` when it is not known, or its file is damaged."""
    try:
        return json.loads(_file(place, question).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def remember(place: Workplace, question: CacheKey, answer: object) -> None:
    """Keep an answer, which JSON can hold; what a crash takes of it is asked again."""
    file = _file(place, question)
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(file, json.dumps(answer).encode(), durable=False)


def forget_old(place: Workplace) -> None:
    """Remove answers that are a month old: most are about what a branch was, others return."""
    latest = time.time() - _KEPT_SECONDS
    for private in (place.private, *place.private.glob("arch/*")):
        for file in private.glob("resolved/*"):
            with suppress(FileNotFoundError):  # somebody else was quicker
                if file.stat().st_mtime < latest:
                    file.unlink()


def _file(place: Workplace, question: CacheKey) -> Path:
    return place.private / "resolved" / f"{question}.json"
