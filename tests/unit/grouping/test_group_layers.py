"""``lapstrake group-layers`` and ``lapstrake image plan``: files in, files out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lapstrake.grouping.plan import parse_plan

GRAPH = {
    "exportReferencesGraph": {"graph": ["/nix/store/a-one-1"]},
    "graph": [
        {"path": "/nix/store/a-one-1", "closureSize": 3, "references": ["/nix/store/b-two-2"]},
        {"path": "/nix/store/b-two-2", "closureSize": 2, "references": []},
    ],
}


def lapstrake(*words: str, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lapstrake", *words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_layers_of_the_files_that_nix_leaves(tmp_path: Path) -> None:
    (tmp_path / ".attrs.json").write_text(json.dumps(GRAPH))
    (tmp_path / "popularity.json").write_text('{"two-2": 100}')
    done = lapstrake("group-layers", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "layers.json").read_text()) == [
        {"contents": ["/nix/store/b-two-2"]},
        {"contents": ["/nix/store/a-one-1"]},
    ]


@pytest.mark.parametrize("strategy", ["nixery", "expected"])
def test_layers_through_pipes(tmp_path: Path, strategy: str) -> None:
    words = ("group-layers", "--graph", "-", "--output", "-", "--budget", "1")
    done = lapstrake(*words, "--strategy", strategy, folder=tmp_path, stdin=json.dumps(GRAPH))
    assert json.loads(done.stdout) == [{"contents": ["/nix/store/a-one-1", "/nix/store/b-two-2"]}]


@pytest.mark.parametrize(
    ("text", "message"), [("{", ".attrs.json:1:2: not JSON"), (None, ".attrs.json: No such file")]
)
def test_a_bad_graph_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / ".attrs.json").write_text(text)
    done = lapstrake("group-layers", folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_of_an_index(tmp_path: Path) -> None:
    index = "\n".join(
        f"Package: p{number}\nVersion: 1-1+deb12u{number}\nSize: {number + 1}000\n"
        f"Depends: p{number // 2} (>= 1) | other\nSection: utils\n"
        for number in range(30)
    )
    done = lapstrake(
        "image", "plan", "-", "--budget", "4", "--images", "50", folder=tmp_path, stdin=index
    )
    assert done.returncode == 0, done.stderr
    plan = parse_plan((tmp_path / "plan.json").read_bytes())
    assert [recipe.budget for recipe in plan.recipes] == [4]
    assert plan.recipes[0].joins
    assert "p7" in plan.knowledge.rates
