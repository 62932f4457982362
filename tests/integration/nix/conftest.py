"""One store of nix for all tests here: what one built, the next one has."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.place.workplace import Workplace
from nix_packages import lacks_for_nix, nix_place, write_packages


@pytest.fixture(scope="session")
def nix_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a work folder ``work`` and the package set ``packages``."""
    folder = tmp_path_factory.mktemp("nix")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIX_CONFIG", "substituters =")
        lack = lacks_for_nix(folder)
    if lack:
        pytest.skip(lack)
    return folder


@pytest.fixture(autouse=True)
def no_substitutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of servers."""
    monkeypatch.setenv("NIX_CONFIG", "substituters =")


@pytest.fixture
def place(nix_folder: Path) -> Workplace:
    """A place with the package set as its source."""
    return nix_place(nix_folder / "work", path=write_packages(nix_folder / "packages"))
