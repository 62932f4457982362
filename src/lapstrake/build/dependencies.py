"""A bundle's build dependencies as layers over its branch."""

from __future__ import annotations

from dataclasses import dataclass

from lapstrake.branch.instance import Branch
from lapstrake.bundle.base import BuildDependencies, Bundle
from lapstrake.compose.base import ComposedRoot, How, Wanted
from lapstrake.errors import DependencyError
from lapstrake.layer.store import Layer
from lapstrake.names import Arch
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository

_NO_DEPENDENCIES = BuildDependencies()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What was found to be needed.

    Attributes:
        layers: over the branch's, lowest first; none when nothing has to be installed.
        packages: names and versions, sorted.
        reason: how they came: from the store, or made, and how.
        made: whether a layer was made just now.
    """

    layers: tuple[Layer, ...] = ()
    packages: tuple[tuple[str, str], ...] = ()
    reason: str
    made: bool = False

    @property
    def key(self) -> str:
        """What tells this set from all others: the uppermost layer's key; empty without any."""
        return self.layers[-1].key.hex if self.layers else ""


def wanted_root(bundle: Bundle, target: Arch | None = None, *, compilers: bool = True) -> Wanted:
    """What a bundle wants in its root besides the branch.

    Args:
        bundle: the bundle.
        target: what it is cross-compiled for; relations are for that then, as sbuild(1) has it.
        compilers: whether the target's compilers are wanted, too.
    """
    needs = bundle.build_depends
    return Wanted(
        relations=", ".join((*_essential(needs, target, compilers=compilers), *needs.depends)),
        conflicts=needs.conflicts,
        profiles=bundle.environment.get("LAPSTRAKE_PROFILES", ""),
        host=target,
    )


def _essential(
    needs: BuildDependencies, target: Arch | None, *, compilers: bool
) -> tuple[str, ...]:
    """The tools for C and C++, and for a target its own libraries of both."""
    if not needs.essential:
        return ()
    if target is None:
        return ("build-essential",)
    cross = (f"crossbuild-essential-{target}:native", "libc-dev") if compilers else ()
    return ("build-essential:native", *cross, "libstdc++6")


def install_dependencies(
    place: Workplace,
    branch: Branch,
    bundle: Bundle,
    repository: Repository,
    *,
    target: Arch | None = None,
    compilers: bool = True,
) -> Dependencies:
    """Get the layers of a bundle's build dependencies over a branch, which knows the target's too.

    Raises:
        DependencyError: apt cannot satisfy them; the brief names which.
    """
    if bundle.build_depends == _NO_DEPENDENCIES:
        return Dependencies(reason="it needs nothing")
    from lapstrake.compose.root import compose_root  # many modules, for these builds only

    try:
        root = compose_root(
            place, branch, repository, wanted_root(bundle, target, compilers=compilers)
        )
    except DependencyError as failed:
        raise DependencyError(
            f"{bundle.name}: {failed.brief}", details=failed.details, resolution=failed.resolution
        ) from failed
    return _dependencies(root, target)


def known_dependencies(
    place: Workplace,
    branch: Branch,
    bundle: Bundle,
    repository: Repository,
    *,
    target: Arch | None = None,
    compilers: bool = True,
) -> Dependencies | None:
    """What `install_dependencies` would find ready; ``None`` when it would have work to do."""
    from lapstrake.compose.root import known_root

    root = known_root(place, branch, repository, wanted_root(bundle, target, compilers=compilers))
    return None if root is None else _dependencies(root, target)


def _dependencies(root: ComposedRoot, target: Arch | None) -> Dependencies:
    return Dependencies(
        layers=root.layers,
        packages=tuple(
            (f"{each.name}:{target}" if each.arch == target else each.name, each.version)
            for each in root.added
        ),
        reason=_reason(root),
        made=root.made,
    )


def _reason(root: ComposedRoot) -> str:
    """One line: how many packages, how they came to be there, and when."""
    if not root.layers:
        return "the branch has all it needs"
    how = "composed" if root.how is How.COMPOSED else "installed by apt"
    why = f" ({root.reason})" if root.how is How.INSTALLED and root.reason else ""
    when = " now" if root.made else ", in the store"
    return f"{len(root.added)} packages, {how}{why}{when}"
