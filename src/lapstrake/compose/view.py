"""How apt sees a branch: its archives, and the packages that were built for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lapstrake.branch.instance import Branch
from lapstrake.errors import DependencyError
from lapstrake.names import GuestPath
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository
from lapstrake.runner.base import Bind

REPOSITORY = GuestPath("/var/lib/lapstrake/repository")
"""Where a root sees the repository of its branch."""

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
    def open(self, purpose: str) -> Iterator[Apt]:
        """Enter the branch's root with apt, which knows the repository if anything is in it.

        Args:
            purpose: the workspace's name.
        """
        place = self.place
        with (
            place.store.lease(self.branch.layers) as stack,
            place.store.workspace(purpose) as workspace,
            place.layer_runner.open(stack.trees, workspace) as session,
        ):
            apt = Apt(
                session=session, progress=place.progress, error=DependencyError, limits=place.limits
            )
            yield self._with_repository(apt) if self.repository.packages() else apt

    def _with_repository(self, apt: Apt) -> Apt:
        apt = replace(
            apt,
            binds=(Bind(source=self.repository.path, target=REPOSITORY),),
            files={_LIST: _SOURCES, _PIN: _PREFERENCES},
        )
        apt.get(
            f"-oDir::Etc::sourcelist={_LIST}",
            "-oDir::Etc::sourceparts=-",
            "-oAPT::Get::List-Cleanup=false",
            "update",
            network=False,
        )
        return apt
