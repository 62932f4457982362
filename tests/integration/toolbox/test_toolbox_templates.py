"""Every bundle of the examples' tree builds, with its template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.toolbox.conftest import Build

TREE = Path(__file__).parents[3] / "examples/tree"

# bundle, template, and paths (with modes) that the package must have.
BUNDLES = [
    ("app-network/corkscrew", "autotools", {"/usr/bin/corkscrew": "-rwxr-xr-x"}),
]


@pytest.mark.parametrize("bundle, template, content", BUNDLES, ids=lambda value: str(value)[:40])
def test_bundle_builds_with_its_template(
    build: Build,
    modes: Callable[[Path], dict[str, str]],
    bundle: str,
    template: str,
    content: dict[str, str],
) -> None:
    built = build(TREE / bundle)
    print(built.log)
    assert built.status == 0, built.log
    assert f"with {template}\n" in built.log
    found = modes(built.package)
    assert {path: found.get(path) for path in content} == content
