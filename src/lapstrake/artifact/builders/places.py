"""Where the steps of a build find things; builders differ in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lapstrake.artifact.base import Origin
from lapstrake.artifact.builders.base import ARTIFACTS, DOWNLOADS, ENV, PLATFORM, WORK, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Absolute paths, as a step sees them.

    Attributes:
        work: the build directory, where every step starts.
        package: the package's folder.
        platform: the folder of the machinery's package; the package's own if it is its own.
        downloads: the platforms' own downloads; see `sources_folder`.
        artifacts: the folder of artifacts.
        inputs: the artifacts of the packages it needs, by name.
    """

    work: str
    package: str
    platform: str
    downloads: str
    artifacts: str
    inputs: Mapping[str, str] = field(default_factory=dict)


def guest_places(job: Job) -> Places:
    """The paths in a root or container; each input artifact is a folder of `ARTIFACTS`."""
    package = str(ENV / job.package.name)
    return Places(
        work=str(WORK),
        package=package,
        platform=str(PLATFORM) if job.platform else package,
        downloads=str(DOWNLOADS),
        artifacts=str(ARTIFACTS),
        inputs={name: str(ARTIFACTS / name) for name in job.inputs},
    )


def sources_folder(job: Job) -> Path:
    """Where platforms keep what they download, on the host; made when missing.

    It is below `Job.downloads` and not that itself: finished archives are trusted by their names,
    so no build may write there. Packages that are worked on here share it; one that was fetched has
    its own, lest it change what the others find.
    """
    name = f"sources.{job.package.name}" if job.package.origin is Origin.FETCHED else "sources"
    folder = job.downloads.absolute() / name
    job.downloads.mkdir(parents=True, exist_ok=True)
    return private_folder(
        folder if _is_ours(folder) else folder.with_name(f"{name}.{os.geteuid()}")
    )


def private_folder(folder: Path) -> Path:
    """Make a folder where a build writes files of our own, and nobody else can come.

    A program with a set-id bit there would make whoever starts it us.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _is_ours(folder: Path) -> bool:
    """Whether a folder is ours, or is still to be made; several users may share the downloads."""
    try:
        return folder.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return True
