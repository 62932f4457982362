"""The base OS: loaded, updated, replaced; the old one stays until the new one is complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lapstrake.baseos import bootstrap, image, tarball
from lapstrake.baseos.current import current_base
from lapstrake.baseos.fetch import find_tarball
from lapstrake.config.model import BaseConfig, BaseMethod
from lapstrake.errors import BaseError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.formats.sources_list import SourceList, index_urls
from lapstrake.host import owned
from lapstrake.layer.store import Layer
from lapstrake.place import freshness
from lapstrake.place.in_place import in_place
from lapstrake.place.lists import base_list, host_list, install_list, lists_of_root
from lapstrake.place.state import BaseState, StateFiles
from lapstrake.place.workplace import Workplace

_LOCK = ("base", "the base OS")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """How a base OS is made: what its key is made of, its name for people, and the work."""

    inputs: Mapping[str, Canonical]
    origin: str
    fill: Callable[[Path], None]


def load_base(place: Workplace, base: BaseConfig) -> Layer:
    """Load a base OS and make it the one in force.

    Branches made on another base are stale from then on; the next build makes them anew.

    Args:
        place: where.
        base: what to load.

    Raises:
        BaseError: it could not be loaded; the old one is still in force.
    """
    recipes: Mapping[BaseMethod, Callable[[Workplace, BaseConfig, Path], _Recipe]] = {
        BaseMethod.DEBOOTSTRAP: _bootstrap_recipe,
        BaseMethod.TARBALL: _tarball_recipe,
        BaseMethod.OCI: _image_recipe,
    }
    with (
        place.lock(_LOCK[0], what=_LOCK[1]),
        place.store.workspace("base") as scratch,  # what a kill leaves there is recovered
    ):
        recipe = recipes[base.method](place, base, scratch)
        return _make(place, recipe, base_list(base))


def update_base(place: Workplace) -> Layer:
    """Upgrade the base OS' packages in a copy, which then becomes the base OS.

    Raises:
        BaseError: a step failed; the old one is still in force.
    """
    with place.lock(_LOCK[0], what=_LOCK[1]):
        old = current_base(place)
        state = StateFiles(place.private).base()
        urls = index_urls(lists_of_root(old.tree), place.config.arch.value)
        seen = freshness.look(urls, digests={}, headers={})
        listed = base_list(place.config.base)

        def fill(tree: Path) -> None:
            with place.store.lease([old]):
                owned.copy_owned(old.tree, tree)
            _upgrade(place, tree, listed)

        name = state.origin if state else "a base OS"
        recipe = _Recipe(
            inputs={
                "method": "update",
                "base": old.key.hex,
                "releases": {url: release.digest for url, release in seen.releases.items()},
            },
            origin=name.removesuffix(", updated") + ", updated",
            fill=fill,
        )
        return _make(place, recipe, listed)


def _make(place: Workplace, recipe: _Recipe, listed: SourceList | None) -> Layer:
    """Make the layer, then put it in force."""

    def fill(tree: Path) -> None:
        recipe.fill(tree)
        if listed is not None:
            with in_place(place, tree, error=BaseError) as apt:
                install_list(apt, listed)

    inputs = {
        **recipe.inputs,
        "arch": place.config.arch.value,
        "list": listed.text if listed else "",
    }
    key = cache_key("base", inputs)
    place.progress.headline(f"loading the base OS: {recipe.origin}")
    layer = place.store.make(
        key, kind="base", facts=inputs, fill=fill, on_wait=place.progress.headline
    )
    StateFiles(place.private).set_base(
        BaseState(key=key, origin=recipe.origin, loaded=time.time(), arch=place.config.arch.value)
    )
    place.progress.headline(f"the base OS is {recipe.origin} ({key.short})")
    return layer


def _bootstrap_recipe(place: Workplace, base: BaseConfig, _scratch: Path) -> _Recipe:
    """mmdebstrap; the same suite at the same state of the archive is the same layer."""
    sources = host_list(base.suite)
    arch = place.config.arch
    seen = freshness.look(index_urls(sources.entries, arch.value), digests={}, headers={})

    def fill(tree: Path) -> None:
        bootstrap.bootstrap(tree, base=base, arch=arch, sources=sources, progress=place.progress)

    return _Recipe(
        inputs={
            "method": "debootstrap",
            "suite": base.suite,
            "variant": base.variant,
            "packages": sorted(base.packages),
            "sources": sources.text,
            "releases": {url: release.digest for url, release in seen.releases.items()},
        },
        origin=f"{base.suite} ({arch}, {base.variant})",
        fill=fill,
    )


def _tarball_recipe(place: Workplace, base: BaseConfig, _scratch: Path) -> _Recipe:
    """A file by path or URL, or AOSC's BuildKit."""
    archive, digest, name = find_tarball(place, base)
    return _Recipe(
        inputs={"method": "tarball", "digest": str(digest)},
        origin=name,
        fill=lambda tree: tarball.unpack_root(archive, tree, name=name),
    )


def _image_recipe(place: Workplace, base: BaseConfig, scratch: Path) -> _Recipe:
    """An OCI image."""
    if not base.url:
        raise BaseError(
            "no image to load", resolution='Set it: [base] url = "oci:DIR" (or docker://…).'
        )
    arch = place.config.arch
    layout = image.fetch_image(base.url, arch=arch, scratch=scratch)
    found = image.read_layout(layout, arch=arch, tag=image.tag_of(base.url))
    if base.checksum is not None and str(base.checksum) != found.digest:
        raise BaseError(
            f"{base.url} is not the image that [base] checksum names",
            details=f"expected {base.checksum}\n  actual {found.digest}",
        )
    return _Recipe(
        inputs={"method": "oci", "digest": found.digest},
        origin=f"{base.url} ({found.digest[:19]})",
        fill=lambda tree: image.unpack_image(found, tree),
    )


def _upgrade(place: Workplace, tree: Path, listed: SourceList | None) -> None:
    """Apt update, upgrade and clean in a tree."""
    with in_place(place, tree, error=BaseError) as apt:
        if listed is not None:
            install_list(apt, listed)
        apt.get("update")
        apt.install("dist-upgrade")
        apt.get("clean")
