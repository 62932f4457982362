"""The package source that a request names."""

from __future__ import annotations

from lapstrake.errors import UsageError
from lapstrake.image.sources.base import PackageSource
from lapstrake.place.workplace import Workplace


def open_source(place: Workplace, name: str, *, refresh: bool | None = None) -> PackageSource:
    """Get a package source.

    Args:
        place: where.
        name: ``branch`` or ``nix``.
        refresh: whether to look for new packages; ``None``: as the configuration says.

    Raises:
        UsageError: there is no such source.
    """
    if name == "branch":
        from lapstrake.image.sources.branch import BranchSource

        return BranchSource(place, refresh=refresh)
    if name == "nix":
        from lapstrake.image.sources.nix import NixSource

        return NixSource(place)
    raise UsageError(f"there is no package source {name!r}", resolution="Use branch or nix.")
