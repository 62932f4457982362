"""The values of composed roots."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lapstrake.branch.instance import Branch
from lapstrake.layer.store import Layer
from lapstrake.names import Arch


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """One binary package of a root.

    Attributes:
        name: its name.
        version: its version.
        arch: its architecture as it says, ``all`` among them.
        source: the source package it was built from.
        source_version: that one's version.
        sha256: of the package file; empty when it is not known.
        size: bytes of the package file.
        installed: bytes on disk once installed, as the package says.
        essential: whether every system has it.
        needs: names of the packages in the same root that satisfy its ``Depends`` and
            ``Pre-Depends``, sorted.
    """

    name: str
    version: str
    arch: str
    source: str = ""
    source_version: str = ""
    sha256: str = ""
    size: int = 0
    installed: int = 0
    essential: bool = False
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """``name_version_arch``, as package files are called."""
        return f"{self.name}_{self.version}_{self.arch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a root should have besides the branch.

    Attributes:
        packages: names, or ``NAME=VERSION``.
        relations: dependencies as ``apt-get satisfy`` takes them; empty for none.
        conflicts: relations of packages that must not be there.
        profiles: build profiles that hold for them, divided by blanks.
        host: the architecture that is built for, if it is not the root's own: relations that name
            none are for that one, as in ``Build-Depends`` (Debian's multiarch cross-building).
    """

    packages: tuple[str, ...] = ()
    relations: str = ""
    conflicts: tuple[str, ...] = ()
    profiles: str = ""
    host: Arch | None = None


class How(StrEnum):
    """How a root came to have its packages."""

    COMPOSED = "composed"  # package layers, and a layer of what dpkg --configure wrote
    INSTALLED = "installed"  # apt installed them in a workspace: one layer


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedRoot:
    """A branch's stack with packages on it.

    Attributes:
        branch: what is below.
        added: the packages over the branch, sorted by name.
        layers: their layers, lowest first; the last one is what configuring them wrote. One layer
            of everything when apt installed them. Empty when the branch has all that is wanted.
        how: composed or installed.
        reason: why apt had to install them; else what was done, for people.
        made: whether the last layer was made just now.
    """

    branch: Branch
    added: tuple[Package, ...]
    layers: tuple[Layer, ...]
    how: How = How.COMPOSED
    reason: str = ""
    made: bool = False

    @property
    def stack(self) -> tuple[Layer, ...]:
        """The whole stack, lowest first."""
        return (*self.branch.layers, *self.layers)
