"""Answers that are kept: found again, and asked again when their file is damaged."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lapstrake.config.load import load_config
from lapstrake.formats.keys import cache_key
from lapstrake.place.answers import forget_old, recall, remember
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.choose import load


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    config = load_config(overrides={"work_dir": str(tmp_path)})
    return Workplace(config=config, runner=load("userns"), progress=Silent())


def test_an_answer_is_found_by_its_question(place: Workplace) -> None:
    question, other = cache_key("test", {"of": "this"}), cache_key("test", {"of": "that"})
    assert recall(place, question) is None
    remember(place, question, {"names": ["a", "b"]})
    assert recall(place, question) == {"names": ["a", "b"]}
    assert recall(place, other) is None


def test_a_damaged_answer_is_none(place: Workplace) -> None:
    question = cache_key("test", {})
    remember(place, question, ["whole"])
    (file,) = (place.private / "resolved").iterdir()
    file.write_bytes(bytes(9))  # what a crash may leave of a file that was not flushed
    assert recall(place, question) is None


def test_old_answers_go(place: Workplace) -> None:
    old, new = cache_key("test", {"of": "old"}), cache_key("test", {"of": "new"})
    remember(place, old, 1)
    (file,) = (place.private / "resolved").iterdir()
    remember(place, new, 2)
    forget_old(place)
    assert (recall(place, old), recall(place, new)) == (1, 2)
    weeks_ago = time.time() - 40 * 24 * 3600
    os.utime(file, (weeks_ago, weeks_ago))
    forget_old(place)
    assert (recall(place, old), recall(place, new)) == (None, 2)
