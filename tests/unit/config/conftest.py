"""A host with nothing of its own: no configuration, no settings in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.config import places


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and system folders that are not there."""
    for name in list(os.environ):
        if name.startswith(("LAPSTRAKE_", "XDG_", "NERVES_", "SOURCE_DATE_EPOCH")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(places, "SYSTEM_DIRS", (tmp_path / "etc" / "lapstrake",))
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder of configuration: the text of config.toml, then lists by file name."""

    def write_config(text: str = "", **lists: str) -> Path:
        folder = tmp_path / "conf"
        (folder / "source_lists").mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(text)
        for name, content in lists.items():
            (folder / "source_lists" / name.replace("_", ".")).write_text(content)
        return folder

    return write_config
