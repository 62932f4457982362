"""How apt sees a branch: its archives, and the packages that were built for it.

Most of the time that apt takes goes into reading indices. What it made of them is a layer of its
own, over the branch: it is there for questions only, and never part of a root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.errors import DependencyError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.layer.store import Layer
from lapstrake.names import GuestPath
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.repository.flat import Repository
from lapstrake.runner.base import Bind, Runner

REPOSITORY = GuestPath("/var/lib/lapstrake/repository")
"""Where a root sees the repository of its branch."""

_FORMAT = 1
_LIST = GuestPath("/etc/apt/sources.list.d/lapstrake.sources")
_PIN = GuestPath("/etc/apt/preferences.d/lapstrake")
_SOURCES = f"""Types: deb
URIs: file:{REPOSITORY}
Suites: ./
Signed-By: {REPOSITORY}/key.asc
""".encode()
# The branch's own packages are preferred, even to newer ones of the archive: they were built to be.
# No origin stands for a repository that is read as files, see apt_preferences(5).
_PREFERENCES = b'Package: *\nPin: origin ""\nPin-Priority: 900\n'
_FILES = {_LIST: _SOURCES, _PIN: _PREFERENCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A branch with its own repository, as apt shall see it.

    Attributes:
        place: where.
        branch: the branch.
        repository: what was built for it.
    """

    place: Workplace
    branch: Branch
    repository: Repository

    @contextmanager
    def ask(self, purpose: str, *, heard: bool = False) -> Iterator[Apt]:
        """Enter the branch's root with an apt that has read all indices; nothing is to be kept.

        Args:
            purpose: the workspace's name.
            heard: whether what apt says is of interest to others, too.
        """
        layers = [*self.branch.layers, self._indices()]
        with self._enter(purpose, layers, self.place.light_runner) as apt:
            yield apt if heard else replace(apt, progress=Silent())

    @contextmanager
    def change(self, purpose: str) -> Iterator[Apt]:
        """Enter the branch's root with apt; what is changed there is to be kept.

        Args:
            purpose: the workspace's name.
        """
        with self._enter(purpose, self.branch.layers, self.place.layer_runner) as apt:
            if self.repository.packages():
                apt = replace(apt, files=_FILES)
                _read_repository(apt)
            yield apt

    @contextmanager
    def _enter(self, purpose: str, layers: Sequence[Layer], runner: Runner) -> Iterator[Apt]:
        place = self.place
        with (
            place.store.lease(layers) as stack,
            place.store.workspace(purpose) as workspace,
            runner.open(stack.trees, workspace) as session,
        ):
            yield Apt(
                session=session,
                progress=place.progress,
                error=DependencyError,
                limits=place.limits,
                binds=self._binds(),
            )

    def _binds(self) -> tuple[Bind, ...]:
        if not self.repository.packages():
            return ()
        return (Bind(source=self.repository.path, target=REPOSITORY),)

    def _indices(self) -> Layer:
        """Find or make the layer of what apt makes of its indices."""
        facts: dict[str, Canonical] = {
            "format": _FORMAT,
            "instance": self.branch.top.hex,
            "repository": str(self.repository.state()),
        }
        return self.place.store.make(
            cache_key("indices", facts),
            kind="indices",
            facts=facts,
            fill=self._read_indices,
            on_wait=self.place.progress.headline,
        )

    def _read_indices(self, tree: Path) -> None:
        """Let apt write its cache, which is good as long as no list is newer."""
        self._forget_indices()
        with self._enter("indices", self.branch.layers, self.place.light_runner) as apt:
            if self.repository.packages():
                apt.write(_FILES)
                _read_repository(apt)
            apt.get("-oDir::Cache::srcpkgcache=", "check", network=False)
            apt.session.capture(tree)

    def _forget_indices(self) -> None:
        """Those of the repository as it was before serve nobody any more, and are large."""
        store, instance = self.place.store, self.branch.top.hex
        for layer in store.layers():
            if layer.kind == "indices" and layer.facts["instance"] == instance:
                store.remove(layer)


def _read_repository(apt: Apt) -> None:
    apt.get(
        f"-oDir::Etc::sourcelist={_LIST}",
        "-oDir::Etc::sourceparts=-",
        "-oAPT::Get::List-Cleanup=false",
        "update",
        network=False,
    )
