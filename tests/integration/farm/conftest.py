"""What the farm's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_desk import World, empty, make_engine, make_world
from farm_hand import ENGINE, HandWorker
from farm_server import FarmServer, farm_server


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    """A server that builds nothing itself."""
    with farm_server(tmp_path_factory.mktemp("farm"), settings=(ENGINE,)) as running:
        yield running


@pytest.fixture(scope="module")
def hand(server: FarmServer) -> HandWorker:
    """A worker of that server, played by hand."""
    worker = HandWorker(client=server.client())
    worker.register()
    worker.beat()
    return worker
