"""What apt-get makes of packages: the root that a composed one must be equal to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.errors import DependencyError
from lapstrake.names import GuestPath
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace

_ARCHIVES = GuestPath("/var/cache/apt/archives")


def install(
    place: Workplace, branch: Branch, words: Sequence[str], *, debs: Path, tree: Path
) -> None:
    """Install packages over a branch with apt-get.

    Args:
        place: where.
        branch: below.
        words: what apt-get is told to do (``satisfy`` or ``install`` and what).
        debs: package files that were downloaded before, under apt's names; new ones are added.
        tree: becomes a layer of everything that changed.
    """
    debs.mkdir(parents=True, exist_ok=True)
    with (
        place.store.lease(branch.layers) as stack,
        place.store.workspace("installed") as workspace,
        place.layer_runner.open(stack.trees, workspace) as session,
    ):
        apt = Apt(
            session=session, progress=place.progress, error=DependencyError, limits=place.limits
        )
        for deb in debs.iterdir():
            session.put(deb, _ARCHIVES / deb.name)
        apt.get("--download-only", *words)
        apt.get(*words, network=False)
        for deb in (workspace / "upper/var/cache/apt/archives").glob("*.deb"):
            with suppress(FileExistsError):
                (debs / deb.name).hardlink_to(deb)
        apt.get("clean", network=False)
        session.capture(tree)
