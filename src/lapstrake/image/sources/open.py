"""The package source that a request names."""

from __future__ import annotations

from lapstrake.errors import UsageError
from lapstrake.image.base import ImageRequest
from lapstrake.image.sources.base import PackageSource
from lapstrake.names import BranchName
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


def bring_up_to_date(place: Workplace, request: ImageRequest, *, refresh: bool | None) -> None:
    """Look for new packages where that is due; what there is then serves without another look.

    Raises:
        BranchError: the branch is unknown, or its refresh failed.
        RunnerError: this host cannot run that machine's programs.
    """
    if request.source == "branch":
        from lapstrake.branch.instance import enter_branch
        from lapstrake.place.foreign import require_machine

        require_machine(request.arch)
        enter_branch(place, BranchName(request.tag), refresh=refresh)
