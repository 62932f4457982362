"""The API does what its OpenAPI document says; Schemathesis makes the requests.

``LAPSTRAKE_TEST_SCHEMA=full`` tries every bound of every value, which takes a minute.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_server import FarmServer, farm_server
from roots import run_cli

_CONFIGURATION = """
[checks.positive_data_acceptance]
# 422 also says that a branch is unknown, or that a bundle cannot be read.
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]

# A path with a word where another one has an id: "batch is no id" is an answer, too.
[[operations]]
include-name = "POST /api/v1/tasks/batch"
checks.unsupported_method.enabled = false

[[operations]]
include-name = "POST /api/v1/content/missing"
checks.unsupported_method.enabled = false
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FarmServer, str]]:
    """A server without builders, and an admin's token."""
    work_dir = tmp_path_factory.mktemp("schema")
    made = run_cli("farm", "token", "add", "tester", "--scope", "admin", work_dir=work_dir)
    assert made.ok, made.stderr
    with farm_server(work_dir, "--access-log", "off", settings=("farm.requests=1000000",)) as farm:
        yield farm, made.stdout.strip()


@pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="needs schemathesis")
def test_the_api_keeps_its_document(server: tuple[FarmServer, str], tmp_path: Path) -> None:
    farm, token = server
    full = os.environ.get("LAPSTRAKE_TEST_SCHEMA") == "full"
    phases = "coverage,fuzzing" if full else "fuzzing"
    config = tmp_path / "schemathesis.toml"
    config.write_text(_CONFIGURATION)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            *(f"{farm.url}/api/v1/openapi.json", "-H", f"Authorization: Bearer {token}"),
            *("--phases", phases, "--max-examples", "3", "--seed", "7"),
            # A stream never ends; see test_streams.py.
            *("--exclude-path-regex", "(/stream|/log/events)$"),
            "--no-color",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    assert "error: " not in farm.said().lower(), farm.said()[-4000:]
