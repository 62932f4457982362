"""One warm work folder for all hostile builds of a kind of user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.host import files
from trouble import Victim, copy_work_dir


@pytest.fixture(scope="session", params=["nspawn", "rootless"])
def victim(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Victim]:
    """A work folder of this worker's own: root's with nspawn, then a plain user's with userns."""
    if request.param == "nspawn":
        base: Path = request.getfixturevalue("base_work_dir")
        user, target = None, tmp_path_factory.mktemp("hostile") / "work"
    else:
        user, base = request.getfixturevalue("rootless_work_dir")
        target = base.parent / f"hostile-{tmp_path_factory.getbasetemp().name}"
    yield Victim(work_dir=copy_work_dir(base, target), user=user)
    files.remove_tree(target)
