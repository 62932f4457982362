"""Copies, in the build directory, of folders that a build changes: nobody's own is written to.

Each is named by its content. One that changed is another folder, and what a build wrote into the
former copy goes with that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.artifact.builders.base import PLATFORM, Job
from lapstrake.artifact.builders.places import Places
from lapstrake.artifact.builders.snapshot import copied, digest_of, is_left_out

_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One folder.

    Attributes:
        source: the folder of the host.
        name: the copy's, in the build directory.
        is_platform: whether it is the machinery, and not the package.
    """

    source: Path
    name: str
    is_platform: bool

    @property
    def entries(self) -> tuple[Path, ...]:
        """What is copied of it."""
        return tuple(each for each in self.source.iterdir() if not is_left_out(each.name))


def copies_of(job: Job) -> tuple[Copy, ...]:
    """The copies that a job needs; the folders are read for it.

    Raises:
        BuildError: one cannot be read.
    """
    return tuple(
        Copy(
            source=source,
            name=f".{seen.name}-{digest_of(source, leave_out=is_left_out)[:_DIGITS]}",
            is_platform=seen == PLATFORM,
        )
        for source, seen in copied(job)
    )


def with_copies(places: Places, copies: tuple[Copy, ...]) -> Places:
    """The places of a build that sees copies instead."""
    own_machinery = places.platform == places.package
    for copy in copies:
        folder = f"{places.work}/{copy.name}"
        if copy.is_platform:
            places = replace(places, platform=folder)
        else:
            places = replace(places, package=folder)
    return replace(places, platform=places.package) if own_machinery else places
