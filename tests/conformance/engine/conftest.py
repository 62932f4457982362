"""Engines that have their tables already: to make these takes longer than most tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from farm_postgres import Postgres
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def empty_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a database that has the engine's tables, to be copied; one of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('engine') / 'engine.db'}"
        DbosDispatch(url).close()
        return url
    made: str = request.getfixturevalue("engine_in_postgres")
    return made


@pytest.fixture(scope="session")
def engine_in_postgres(postgres: Postgres) -> str:
    """The one in PostgreSQL."""
    url = postgres.new_database()
    DbosDispatch(url).close()
    return url


@pytest.fixture
def farm_database(request: pytest.FixtureRequest, empty_engine: str, tmp_path: Path) -> str:
    """The address of an engine's database of the test's own."""
    if empty_engine.startswith("sqlite"):
        file = tmp_path / "farm.db"
        shutil.copyfile(empty_engine.removeprefix("sqlite:///"), file)
        return f"sqlite:///{file}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database(empty_engine)
