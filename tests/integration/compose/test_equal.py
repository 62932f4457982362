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
from lapstrake.compose.root import compose_root, known_root
from lapstrake.compose.wish import satisfy_words
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from root_compare import differences
from roots import clone, open_work_dir

_BRANCH = BranchName("stable")

SETS = (
    "build-essential texinfo python3 ca-certificates",
    "nginx postgresql openjdk-17-jre-headless openssh-server",
)
TRAPS = (
    "bash-completion",  # a preinst that asks dpkg
    "vim-tiny gawk",  # alternatives
    "dbus systemd",  # users, units, statoverride
    "man-db shared-mime-info libglib2.0-bin fontconfig",  # triggers
    "python3-docutils xml-core",  # byte-compiled modules, catalogues
    "tzdata locales",  # questions
    "exim4-daemon-light cron",  # groups numbered in apt's order, which Pre-Depends make
    "iputils-ping sudo",  # capabilities, set-id
    "apt-utils",  # makes apt ask before it unpacks
)
"""Packages with something that layers could get wrong; most bring more than is said here."""

FALLBACKS = (
    (Wanted(packages=("postfix",)), "the preinst of postfix"),
    (Wanted(relations="gawk", conflicts=("mawk",)), "mawk has to be removed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """Where both kinds of roots are made, of the same package files."""

    place: Workplace
    branch: Branch
    debs: Path

    def composed(self, wanted: Wanted) -> ComposedRoot:
        """The root as we make it, once more when it is there."""
        repository = repository_of(self.place, _BRANCH)
        made = compose_root(self.place, self.branch, repository, wanted)
        known = known_root(self.place, self.branch, repository, wanted)
        again = compose_root(self.place, self.branch, repository, wanted)
        assert known == again
        assert [layer.key for layer in again.stack] == [layer.key for layer in made.stack]
        assert (again.how, again.added) == (made.how, made.added)
        return again

    def installed(self, wanted: Wanted) -> Path:
        """The layer that apt-get makes of the same packages."""
        tree = self.place.config.work_dir / f"installed-{os.urandom(4).hex()}"
        words = satisfy_words(wanted)
        install(self.place, self.branch, words, debs=self.debs, tree=tree)
        return tree

    def differences(self, *names: str, since: float) -> list[str]:
        """What differs between the two roots."""
        wanted = Wanted(packages=names)
        root = self.composed(wanted)
        assert root.how is How.COMPOSED, root.reason
        tree = self.installed(wanted)
        found = differences(
            [layer.tree for layer in root.stack],
            [*(layer.tree for layer in self.branch.layers), tree],
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


@pytest.mark.slow
@pytest.mark.parametrize("names", [*SETS, " ".join(TRAPS)])
def test_composed_is_what_apt_makes(kitchen: Kitchen, names: str) -> None:
    assert not kitchen.differences(*names.split(), since=time.time())


@pytest.mark.parametrize(("wanted", "reason"), FALLBACKS)
def test_what_apt_must_install(kitchen: Kitchen, wanted: Wanted, reason: str) -> None:
    root = kitchen.composed(wanted)
    assert root.how is How.INSTALLED
    assert reason in root.reason
    assert len(root.layers) == 1
    assert not root.made, "the second time it is found"
