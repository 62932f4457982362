"""Keeping branches fresh: who is looked at, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lapstrake.config.model import RefreshMode
from lapstrake.farm.contents import keeper
from lapstrake.formats.keys import cache_key
from lapstrake.host.locks import locked
from lapstrake.place.state import BaseState, StateFiles
from lapstrake.place.workplace import Workplace
from roots import open_work_dir, write_configuration


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    write_configuration(tmp_path)
    return open_work_dir(tmp_path)


def _with_mode(place: Workplace, mode: RefreshMode, age: float = 0.0) -> Workplace:
    refresh = replace(place.config.refresh, mode=mode, max_age=age)
    return replace(place, config=replace(place.config, refresh=refresh))


@pytest.mark.parametrize("mode", list(RefreshMode))
def test_what_nobody_used_is_left_alone(place: Workplace, mode: RefreshMode) -> None:
    assert keeper.refresh_branches(_with_mode(place, mode)) == ()
    assert not (place.private / "branches").exists()


def test_how_often(place: Workplace) -> None:
    assert keeper.period(place) == keeper.DEFAULT_SECONDS
    assert keeper.period(_with_mode(place, RefreshMode.ALWAYS, 60.0)) == 60.0


def test_what_is_done_now(place: Workplace) -> None:
    assert keeper.doing(place) == ""
    locks = place.private / "locks"
    with locked(locks / "branch-stable", what="a test"):
        assert keeper.doing(place) == "updating OS"
    with locked(locks / "base", what="a test"):
        assert keeper.doing(place) == "loading OS"
        base = BaseState(key=cache_key("base", {}), origin="a test", loaded=0.0, arch="amd64")
        StateFiles(place.private).set_base(base)
        assert keeper.doing(place) == "updating OS"
    assert keeper.doing(place) == ""
