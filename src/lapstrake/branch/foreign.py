"""A branch that also knows the packages of another architecture, for cross-compiling.

Such packages come beside the root's own (Debian's multiarch, dpkg(1) ``--add-architecture``). What
apt and dpkg must know for that is a layer over the branch; nothing of the branch itself changes.
The architecture's C library is in it too: all that is compiled needs it, and its scripts ask
questions (debconf-devel(7)) before it is unpacked, which no composed root allows.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.errors import BranchError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.layer.store import Layer
from lapstrake.names import Arch, CacheKey
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace

_FORMAT = 1


def with_foreign(place: Workplace, branch: Branch, arch: Arch) -> Branch:
    """Let a branch know the packages of another architecture; their lists are fetched once.

    Args:
        place: where.
        branch: the branch.
        arch: not the branch's own.

    Raises:
        BranchError: an archive of the branch has nothing for that architecture.
    """

    def fill(tree: Path) -> None:
        place.progress.headline(f"fetching the lists of {branch.name} for {arch}")
        try:
            _add(place, branch, arch, tree)
        except BranchError as failed:
            raise BranchError(
                f"{branch.name} cannot be made ready to compile for {arch}",
                details=failed.details or failed.brief,
                resolution=f"Check that all archives of the branch have {arch}; limit those that "
                "do not with `Architectures:` in its source list.",
            ) from failed

    layer = place.store.make(
        _key(branch, arch),
        kind="foreign",
        facts=_inputs(branch, arch),
        fill=fill,
        on_wait=place.progress.headline,
    )
    return replace(branch, foreign=layer)


def known_foreign(place: Workplace, branch: Branch, arch: Arch) -> Branch | None:
    """What `with_foreign` would find ready; ``None`` when lists have to be fetched."""
    layer: Layer | None = place.store.find(_key(branch, arch))
    return replace(branch, foreign=layer) if layer else None


def _add(place: Workplace, branch: Branch, arch: Arch, tree: Path) -> None:
    with (
        place.store.lease(branch.layers) as stack,
        place.store.workspace("foreign") as workspace,
        place.layer_runner.open(stack.trees, workspace) as session,
    ):
        apt = Apt(session=session, progress=place.progress, error=BranchError, limits=place.limits)
        apt.run(("dpkg", "--add-architecture", arch))
        apt.get("update")
        apt.install("install", f"libc6:{arch}")
        apt.get("clean")
        session.capture(tree)


def _key(branch: Branch, arch: Arch) -> CacheKey:
    return cache_key("foreign", _inputs(branch, arch))


def _inputs(branch: Branch, arch: Arch) -> dict[str, Canonical]:
    return {"format": _FORMAT, "instance": branch.instance.key.hex, "arch": arch.value}
