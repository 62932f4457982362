"""Two shops for all acceptance tests: root's (systemd-nspawn), and a user's (rootless)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from roots import clone, once
from shop import EXAMPLES, Shop
from webserver import Site, running_site


@pytest.fixture(scope="session")
def shop(base_work_dir: Path, shared_folder: Path) -> Shop:
    """Root's shop; all workers use it side by side."""
    work_dir = shared_folder / "shop"
    with once(shared_folder, "shop.made") as wanted:
        if wanted:
            clone(base_work_dir, work_dir)
    return Shop(work_dir=work_dir, settings={"tree": str(EXAMPLES / "tree")})


@pytest.fixture(scope="session")
def user_shop(rootless_work_dir: tuple[str, Path]) -> Shop:
    """An unprivileged user's shop."""
    user, made = rootless_work_dir
    work_dir = made.parent / "shop"
    with once(made.parent, "shop.made") as wanted:
        if wanted:
            subprocess.run(["cp", "-al", str(made), str(work_dir)], check=True)
    return Shop(work_dir=work_dir, user=user, settings={"tree": str(_copied_tree(work_dir))})


def _copied_tree(work_dir: Path) -> Path:
    """The example tree, where the user may read it."""
    tree = work_dir / "tree"
    if not tree.exists():
        shutil.copytree(EXAMPLES, tree.with_name("examples"), dirs_exist_ok=True)
        tree.symlink_to("examples/tree")
    return tree


@pytest.fixture(params=["root", "user"])
def each_shop(request: pytest.FixtureRequest) -> Shop:
    """A test that is run in both shops."""
    found: Shop = request.getfixturevalue("shop" if request.param == "root" else "user_shop")
    return found


@pytest.fixture
def branch(shop: Shop) -> str:
    """A branch of root's shop for one test."""
    return shop.branch()


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server that misbehaves on command."""
    with running_site() as running:
        yield running
