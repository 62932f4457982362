"""Files made for build tools: written once, and removed when nobody wants them any more."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lapstrake.errors import ToolchainError
from lapstrake.toolchain.files import folder_of, write_files

_LONG_AGO = time.time() - 100 * 86400


def _made(root: Path, text: str) -> Path:
    texts = {"toolchain.cmake": text}
    path = Path(folder_of(texts, root), "toolchain.cmake")
    write_files({str(path): text})
    return path


def test_what_nobody_asked_for_in_a_long_time_goes_with_a_new_one(tmp_path: Path) -> None:
    used, unused, other = _made(tmp_path, "used"), _made(tmp_path, "unused"), tmp_path / "my own"
    other.mkdir()
    for folder in (used.parent, unused.parent, other):
        os.utime(folder, (_LONG_AGO, _LONG_AGO))
    assert _made(tmp_path, "used") == used
    assert unused.exists(), "nothing was made"
    new = _made(tmp_path, "new")
    assert (used.exists(), unused.parent.exists(), other.exists()) == (True, False, True)
    assert new.read_text() == "new"
    assert _made(tmp_path, "unused").read_text() == "unused"


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    path = _made(tmp_path, "text")
    before = path.stat().st_ino
    assert _made(tmp_path, "text").stat().st_ino == before
    path.unlink()
    assert _made(tmp_path, "text").read_text() == "text"


def test_something_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "cross").write_text("")
    with pytest.raises(ToolchainError, match=str(tmp_path / "cross")):
        _made(tmp_path / "cross", "text")
