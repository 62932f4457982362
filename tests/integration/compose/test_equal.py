"""Composed roots are what apt-get makes of the same packages over the same branch.

Each set also says whether it is composed at all: what falls back to apt is equal, too, but slow.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from installed_root import install
from lapstrake.branch.instance import Branch, current_branch
from lapstrake.compose.base import ComposedRoot, How, Wanted
from lapstrake.compose.resolve import satisfy_words
from lapstrake.compose.root import compose_root, known_root
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from root_compare import differences
from roots import clone, open_work_dir

_BRANCH = BranchName("stable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """Where both kinds of roots are made, of the same package files."""

    place: Workplace
    branch: Branch
    debs: Path

    def composed(self, *names: str) -> ComposedRoot:
        """The root as we make it."""
        wanted = Wanted(packages=names)
        repository = repository_of(self.place, _BRANCH)
        root = compose_root(self.place, self.branch, repository, wanted)
        known = known_root(self.place, self.branch, repository, wanted)
        assert known is not None, "what was just made is known"
        assert [layer.key for layer in known.stack] == [layer.key for layer in root.stack]
        assert (known.how, known.added) == (root.how, root.added)
        return root

    def installed(self, *names: str) -> Path:
        """The layer that apt-get makes of the same packages."""
        tree = self.place.config.work_dir / f"installed-{os.urandom(4).hex()}"
        words = satisfy_words(Wanted(packages=names))
        install(self.place, self.branch, words, debs=self.debs, tree=tree)
        return tree

    def differences(self, *names: str, since: float) -> list[str]:
        """What differs between the two roots."""
        root = self.composed(*names)
        assert root.how is How.COMPOSED, root.reason
        below = [layer.tree for layer in self.branch.layers]
        tree = self.installed(*names)
        found = differences(
            [layer.tree for layer in root.stack],
            [*below, tree],
            since=since,
            scratch=self.place.config.work_dir,
        )
        shutil.rmtree(tree)
        return [str(each) for each in found]


@pytest.fixture(scope="module")
def kitchen(
    base_work_dir: Path, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kitchen]:
    """One place for all sets: package layers are shared, and every file is downloaded once."""
    work_dir = clone(base_work_dir, tmp_path_factory.mktemp("kitchen") / "work")
    place = open_work_dir(work_dir, runner="userns")
    branch = current_branch(place, _BRANCH)
    assert branch is not None
    yield Kitchen(place=place, branch=branch, debs=shared_folder / "debs")
    shutil.rmtree(work_dir)


@pytest.mark.parametrize(
    "names",
    [
        "build-essential texinfo python3 ca-certificates",
        "nginx postgresql openjdk-17-jre-headless openssh-server",
    ],
)
def test_the_issues_sets(kitchen: Kitchen, names: str) -> None:
    assert not kitchen.differences(*names.split(), since=time.time())
