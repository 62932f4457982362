"""One registry for all tests here, each of which uses names of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from registry_server import Served, served


@pytest.fixture(scope="session")
def registry(memory: Path) -> Iterator[Served]:
    with served(memory / "conformance") as running:
        yield running


@pytest.fixture
def client(registry: Served) -> Iterator[httpx2.Client]:
    with registry.client() as client:
        yield client


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository that no other test uses."""
    test = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower())
    return f"push/{test.strip('-').replace('--', '-')}"[:200]
