"""One warm work folder for all tests here, for each kind of user."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trouble import Victim, open_victim


@pytest.fixture(scope="session", params=["nspawn", "rootless"])
def victim(request: pytest.FixtureRequest) -> Iterator[Victim]:
    with open_victim(request.param, request) as victim:
        yield victim
