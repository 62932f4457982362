"""What the farm's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_desk import World, empty, make_engine, make_world


@pytest.fixture(scope="session")
def empty_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine's database before its first task, to be copied."""
    return make_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def desk_database(request: pytest.FixtureRequest) -> str:
    """PostgreSQL's address, or an empty text for a file of the test's own."""
    if request.param == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres").new_database()
    return url


@pytest.fixture
def world(tmp_path: Path, desk_database: str, empty_engine: Path) -> Iterator[World]:
    """A desk with nothing in it, on each database."""
    made = make_world(tmp_path / "world", desk_database, empty_engine)
    if desk_database:  # to make a database takes longer than to empty one
        empty(made.database)
    yield made
    made.close()
