"""A branch's root with more packages on it: composed where that is the same as installed."""

from __future__ import annotations

from lapstrake.branch.instance import Branch
from lapstrake.compose.base import ComposedRoot, How, Package, Wanted
from lapstrake.compose.installed import find_installed, installed_layer
from lapstrake.compose.resolve import Item, Resolution, remembered, resolve
from lapstrake.compose.view import View
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository


def compose_root(
    place: Workplace, branch: Branch, repository: Repository, wanted: Wanted
) -> ComposedRoot:
    """Get a branch's stack with packages on it, and whatever they need.

    Args:
        place: where.
        branch: what is below.
        repository: the packages that were built for the branch; preferred to all others.
        wanted: the packages.

    Raises:
        MissingError: packages are unknown; all of them are named.
        DependencyError: apt cannot satisfy them, or a package could not be configured.
    """
    view = View(place=place, branch=branch, repository=repository)
    resolution = resolve(view, wanted)
    if not resolution:
        return _bare(branch)
    found = find_installed(view, resolution)
    layer = found or installed_layer(view, wanted, resolution)
    return ComposedRoot(
        branch=branch,
        added=_added(resolution),
        layers=(layer,),
        how=How.INSTALLED,
        reason="composing is not there yet",
        made=found is None,
    )


def known_root(
    place: Workplace, branch: Branch, repository: Repository, wanted: Wanted
) -> ComposedRoot | None:
    """What `compose_root` would find ready; ``None`` when it would have work to do."""
    view = View(place=place, branch=branch, repository=repository)
    resolution = remembered(view, wanted)
    if resolution is None:
        return None
    if not resolution:
        return _bare(branch)
    layer = find_installed(view, resolution)
    if layer is None:
        return None
    return ComposedRoot(branch=branch, added=_added(resolution), layers=(layer,), how=How.INSTALLED)


def _bare(branch: Branch) -> ComposedRoot:
    return ComposedRoot(branch=branch, added=(), layers=(), reason="the branch has all it needs")


def _added(resolution: Resolution) -> tuple[Package, ...]:
    return tuple(sorted(_package(item) for item in resolution.items))


def _package(item: Item) -> Package:
    return Package(
        name=item.name, version=item.version, arch=item.arch, sha256=item.sha256, size=item.size
    )
