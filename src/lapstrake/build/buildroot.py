"""What a build finds under ``/buildroot``: toolbox, bundle, sources, plan; and its environment.

::

    /buildroot/toolbox/   the drivers (this program's own scripts)
    /buildroot/bundle/    a copy of the bundle's folder
    /buildroot/plan/      what the bundle's reader wrote for the driver
    /buildroot/VER.bin    the fetched archives, VER-1.bin and so on
    /buildroot/build/     everything unpacked, side by side
    /buildroot/output/    what the build leaves for us
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import lapstrake
from lapstrake.build.committed import committed
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.config.model import Config
from lapstrake.errors import BundleError
from lapstrake.host import files
from lapstrake.names import Arch, BranchName, GuestPath
from lapstrake.runner.base import Session
from lapstrake.source.job import Fetched
from lapstrake.source.stage import fetched_names, stage
from lapstrake.source.unpack import UnpackBounds

BUILDROOT = GuestPath("/buildroot")
TOOLBOX = Path(lapstrake.__file__).with_name("toolbox")
"""The drivers: scripts that run inside roots."""


def stage_buildroot(
    session: Session,
    bundle: Bundle,
    sources: Sequence[Fetched],
    *,
    scratch: Path,
    disk: int | None = None,
) -> GuestPath:
    """Fill the build root of an entered root.

    Args:
        session: the entered root.
        bundle: what is built.
        sources: its sources, fetched and verified.
        scratch: a folder on the workspace's disk; the tree made there is moved in.
        disk: bytes that each archive may become, if the build's disk is limited.

    Returns:
        the folder of the sources to build in.

    Raises:
        UnpackError: an archive is hostile or damaged.
        BundleError: `scratch` lies in the bundle's own folder.
    """
    folder = bundle.path if bundle.path.is_dir() else None
    if folder is not None and scratch.resolve().is_relative_to(folder.resolve()):
        raise BundleError(
            f"the work folder lies in the folder of the bundle, {folder}, and would be copied",
            resolution="Set work_dir to a folder outside of the bundle.",
        )
    root = scratch / "buildroot"
    root.mkdir()
    (root / "output").mkdir()
    (root / "build").mkdir()
    _stage_toolbox(bundle, root / "toolbox")
    if folder is not None:
        files.copy_tree(folder, root / "bundle")
    else:
        (root / "bundle").mkdir()
    for name, content in bundle.files.items():
        file = root / "plan" / PurePosixPath(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    bounds = UnpackBounds() if disk is None else UnpackBounds(size=disk)
    relative = stage(sources, root, subdir=bundle.subdir, bounds=bounds)
    session.put(root, BUILDROOT, move=True)
    return BUILDROOT / relative


def _stage_toolbox(bundle: Bundle, target: Path) -> None:
    """Copy the bundle's driver, and the folder of what that calls, if there is one."""
    target.mkdir()
    for name in (bundle.driver, bundle.driver.removesuffix(".sh")):
        if (TOOLBOX / name).exists():
            files.copy_tree(TOOLBOX / name, target / name)


def build_environment(
    bundle: Bundle,
    config: Config,
    *,
    branch: BranchName,
    srcdir: GuestPath,
    sources: Sequence[Fetched],
    epoch: int,
    target: Arch | None = None,
) -> dict[str, str]:
    """The variables every driver gets, and the bundle's own."""
    return {
        "LAPSTRAKE_BUILDROOT": str(BUILDROOT),
        "LAPSTRAKE_SRCDIR": str(srcdir),
        "LAPSTRAKE_ARCH": (target or config.arch).value,
        "LAPSTRAKE_BUILD_ARCH": config.arch.value,
        "LAPSTRAKE_JOBS": str(config.build.jobs or os.cpu_count() or 1),
        "LAPSTRAKE_BRANCH": branch.text,
        "LAPSTRAKE_SOURCES": "\n".join(fetched_names([source.spec for source in sources])),
        "LAPSTRAKE_MAINTAINER": config.build.maintainer,
        "SOURCE_DATE_EPOCH": str(epoch),
        **bundle.environment,
    }


def source_epoch(bundle: Bundle, config: Config) -> int:
    """The time that files of the packages carry, seconds since 1970.

    The configuration's (or the environment's) if set; else when the bundle was last committed; else
    when its newest file was last changed. See https://reproducible-builds.org/specs/source-date-epoch/.
    """
    if config.build.epoch is not None:
        return config.build.epoch
    if bundle.format is BundleFormat.DEBIAN:
        return 0  # dpkg-buildpackage takes the changelog's
    folder = bundle.path
    when = committed(folder)
    if when is not None:
        return when
    facts = (entry.lstat() for entry in folder.rglob("*"))
    times = [each.st_mtime for each in facts if stat.S_ISREG(each.st_mode)]
    return int(max(times, default=0))
