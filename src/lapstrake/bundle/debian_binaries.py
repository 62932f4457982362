"""Which binary packages a source builds: architectures, wildcards and build profiles."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from lapstrake.names import Arch

if TYPE_CHECKING:
    from debian.debian_support import DpkgArchTable


class BuildKind(StrEnum):
    """Which binary packages a Debian build makes."""

    FULL = "full"  # dpkg-buildpackage -b
    ANY = "any"  # -B: what depends on the architecture
    ALL = "all"  # -A: what does not


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryPackage:
    """A binary package as its source announces it.

    Attributes:
        name: the package's name.
        architectures: names and wildcards (``any``, ``linux-any``, ``all``, ``amd64``).
        profiles: the restriction formula of ``Build-Profiles``, empty for none.
        depends: relations of ``Pre-Depends`` and ``Depends``.
    """

    name: str
    architectures: tuple[str, ...]
    profiles: str = ""
    depends: tuple[str, ...] = ()


def is_built(
    package: BinaryPackage, *, arch: Arch, kind: BuildKind, profiles: Collection[str]
) -> bool:
    """Whether a build of a kind, for an architecture, with profiles, makes a package."""
    if not _holds(package.profiles, profiles):
        return False
    if "all" in package.architectures and kind is not BuildKind.ANY:
        return True
    if kind is BuildKind.ALL:
        return False
    specific = (name for name in package.architectures if name != "all")
    return any(_arch_table().matches_architecture(str(arch), name) for name in specific)


def _holds(formula: str, profiles: Collection[str]) -> bool:
    if not formula:
        return True
    from debian.deb822 import PkgRelation

    relation = PkgRelation.parse_relations(f"x {formula}")[0][0]
    return PkgRelation.holds_with_profiles(relation, tuple(profiles))


@cache
def _arch_table() -> DpkgArchTable:
    """Dpkg's own table of architectures; dpkg is on every host that builds."""
    from debian.debian_support import DpkgArchTable

    return DpkgArchTable.load_arch_table()
