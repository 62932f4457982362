"""What came of looking for an artifact; small, since that all is kept must be told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lapstrake.artifact.base import Package
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.keeping.status import Status, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """An artifact that is here.

    Attributes:
        package: its package.
        identity: what it is.
        where: where it was when it was looked for.
        path: its folder.
        site: the address that it came from now; empty when it was here.
    """

    package: Package
    identity: Identity
    where: Where
    path: Path
    site: str = ""

    def is_kept_in(self, depot: Depot) -> bool:
        """Whether it is among the depot's artifacts, and no choice of a variable's."""
        path = depot.artifacts / self.identity.download_name
        return self.where is not Where.OVERRIDE and self.path == path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A place where it was not to be had.

    Attributes:
        where: the place.
        said: what it said, in one line.
    """

    where: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An artifact that is nowhere.

    Attributes:
        package: its package.
        identity: what it is.
        tried: all places, in order.
    """

    package: Package
    identity: Identity
    tried: tuple[Tried, ...]

    @property
    def only_built(self) -> bool:
        """Whether nobody but this host was ever to have it."""
        return not self.tried and self.package.platform is not None


def here(status: Status) -> Got | None:
    """An artifact that needs neither a site nor unpacking."""
    if status.path is None or status.where not in (Where.OVERRIDE, Where.KEPT):
        return None
    return Got(
        package=status.package, identity=status.identity, where=status.where, path=status.path
    )
