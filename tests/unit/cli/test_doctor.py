"""``lapstrake doctor`` on this very host."""

from __future__ import annotations

import json

import pytest

from lapstrake.cli.main import main
from lapstrake.runner.base import Lack
from lapstrake.runner.probe import RunnerReport


def test_it_tells_the_same_as_lines_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["-q", "doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    isolating = [row for row in document["runners"] if row["isolates"]]
    assert document["usable"] == any(row["usable"] for row in isolating)
    assert status == (0 if document["usable"] else 11)
    assert [row["name"] for row in document["runners"]] == ["userns", "nspawn", "docker", "local"]
    assert main(["-q", "doctor"]) == status
    text = capsys.readouterr().out
    for row in (*document["runners"], *document["host"], *document["programs"]):
        assert row["name"] in text
    assert "\x1b" not in text


def test_a_lack_that_does_not_block_leaves_a_runner_usable() -> None:
    weak = Lack(what="w", remedy="r", blocks=False)
    bad = Lack(what="b", remedy="r")
    assert RunnerReport(name="x", isolates=True, mounts=True, lacks=(weak,)).usable
    assert not RunnerReport(name="x", isolates=True, mounts=True, lacks=(weak, bad)).usable
