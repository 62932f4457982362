"""Build dependencies that were never installed before, against `apt-get install` of the same.

Both stand on the branch `stable` of the work folder (LAPSTRAKE_WORK_DIR), which must be there, and
both find all package files on the disk: ours as layers of the store, apt's in its own folder of
downloads. Each round begins without the configured root and without apt's remembered answer; what
is not timed is only what tidies up between rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pairs import Contender, race, report

from lapstrake.branch.instance import Branch, enter_branch
from lapstrake.compose.base import ComposedRoot, How, Wanted
from lapstrake.compose.resolve import satisfy_words
from lapstrake.compose.root import compose_root
from lapstrake.config.load import load_config
from lapstrake.errors import DependencyError
from lapstrake.names import BranchName, GuestPath
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.repository.open import repository_of
from lapstrake.runner.base import Bind
from lapstrake.runner.choose import choose

SETS = {
    "debhelper": "build-essential, debhelper-compat (= 13)",
    "nano": "build-essential, debhelper-compat (= 13), autoconf, automake, autopoint, gettext, "
    "groff, libncurses-dev, pkg-config, texinfo",
    "python": "build-essential, debhelper-compat (= 13), dh-python, python3-all, "
    "python3-setuptools",
}
"""Build dependencies of Debian packages; Python's modules are compiled when it is configured."""

_BRANCH = BranchName("stable")
_ARCHIVES = GuestPath("/var/cache/apt/archives")


class Composed:
    """Our side."""

    def __init__(self, place: Workplace, branch: Branch, wanted: Wanted) -> None:
        self.place, self.branch, self.wanted = place, branch, wanted
        self.root = self.make()

    def make(self) -> ComposedRoot:
        """Get the root, whatever there is of it."""
        repository = repository_of(self.place, _BRANCH)
        self.root = compose_root(self.place, self.branch, repository, self.wanted)
        return self.root

    def forget(self) -> None:
        """Keep the layers of packages only."""
        for layer in self.root.layers:
            if layer.kind != "package":
                self.place.store.remove(layer)
        for answer in (self.place.private / "resolved").glob("*.json"):
            if b'"removed"' in answer.read_bytes()[-200:]:
                answer.unlink()


class Installed:
    """apt's side: a fresh workspace each time, made before the clock runs."""

    def __init__(self, place: Workplace, branch: Branch, wanted: Wanted, debs: Path) -> None:
        self.place, self.branch, self.wanted, self.debs = place, branch, wanted, debs
        self.held = contextlib.ExitStack()
        self.apt: Apt | None = None

    def enter(self) -> None:
        """Throw the last workspace away, and enter a new one."""
        self.held.close()
        stack = self.held.enter_context(self.place.store.lease(self.branch.layers))
        workspace = self.held.enter_context(self.place.store.workspace("bench"))
        session = self.held.enter_context(self.place.layer_runner.open(stack.trees, workspace))
        self.apt = Apt(
            session=session,
            progress=self.place.progress,
            error=DependencyError,
            limits=self.place.limits,
            binds=(Bind(source=self.debs, target=_ARCHIVES, writable=True),),
        )

    def install(self) -> None:
        """Install, with every package file there already."""
        assert self.apt is not None
        self.apt.get(*satisfy_words(self.wanted), network=False)

    def download(self) -> None:
        """Fetch the package files."""
        self.enter()
        assert self.apt is not None
        self.apt.get("--download-only", *satisfy_words(self.wanted))


@contextlib.contextmanager
def downloads(place: Workplace) -> Iterator[Path]:
    """A folder for apt's package files."""
    folder = Path(tempfile.mkdtemp(dir=place.config.work_dir))
    folder.chmod(0o755)
    (folder / "partial").mkdir()
    yield folder
    shutil.rmtree(folder)


def compare(place: Workplace, branch: Branch, name: str, *, rounds: int, as_json: bool) -> None:
    """Make everything ready for one set, then race."""
    wanted = Wanted(relations=SETS.get(name, name))
    ours = Composed(place, branch, wanted)
    if ours.root.how is not How.COMPOSED:
        print(f"{name}: not composed: {ours.root.reason}")
        return
    with downloads(place) as debs:
        theirs = Installed(place, branch, wanted, debs)
        theirs.download()
        contenders = [
            Contender(name="composed", run=ours.make, prepare=ours.forget),
            Contender(name="apt-get install", run=theirs.install, prepare=theirs.enter),
        ]
        race(contenders, rounds=rounds)
        theirs.held.close()
    title = f"{name}: {len(ours.root.added)} build dependencies, runner {place.runner.name}"
    report(title, contenders, as_json=as_json)


def main() -> None:
    """Race once for each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help="names of sets, or dependencies as Debian has them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runner", default="auto")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    place = Workplace(config=load_config(None), runner=choose(given.runner), progress=Silent())
    branch = enter_branch(place, _BRANCH, refresh=False)
    for name in given.sets or SETS:
        compare(place, branch, name, rounds=given.rounds, as_json=given.json)


if __name__ == "__main__":
    main()
