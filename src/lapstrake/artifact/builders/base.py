"""What every build runner of artifacts offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lapstrake.artifact.base import Package
from lapstrake.artifact.identity import Identity
from lapstrake.names import GuestPath
from lapstrake.progress import Progress
from lapstrake.runner.base import Lack

WORK = GuestPath("/nerves/build")
"""The build directory, where every step starts."""
ENV = GuestPath("/nerves/env")
"""Below it: the package by its name, and its platform as ``platform``."""
PLATFORM = ENV / "platform"
DOWNLOADS = GuestPath("/nerves/dl")
ARTIFACTS = GuestPath("/nerves/host/artifacts")
"""Below it: the artifacts that are needed, each by its package's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One artifact to be made.

    Attributes:
        package: what; it has a platform.
        platform: the package of the machinery, or ``None``.
        identity: what its archive is to be called.
        folder: ``ARTIFACT_DIR``: ours alone, kept between builds of this name.
        downloads: the folder of downloads, shown as `DOWNLOADS`.
        artifacts: the folder of artifacts, shown as `ARTIFACTS`.
        inputs: artifacts of the packages it needs, by name; a root or container shows each as a
            folder of that name below `ARTIFACTS`.
        toolchain: which of them is the toolchain; empty for none.
        system: likewise.
        machinery: a hash of the platform's package and of the defconfig.
        environment: variables for its steps.
        log: the file that takes everything (``build.log``).
        progress: hears the headlines.
        jobs: parallel jobs.
        epoch: seconds since 1970 for the times in the archive.
    """

    package: Package
    platform: Package | None
    identity: Identity
    folder: Path
    downloads: Path
    artifacts: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    toolchain: str = ""
    system: str = ""
    machinery: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path
    progress: Progress
    jobs: int = 1
    epoch: int = 0


class Builder(Protocol):
    """One way to build; see `lapstrake.artifact.builders.choose`."""

    name: str

    def probe(self) -> tuple[Lack, ...]:
        """What this host lacks for it."""
        ...

    def build(self, job: Job) -> Path:
        """Run the platform's steps (in a build directory that is kept) and its archive step.

        Returns:
            the archive, in `Job.downloads` under `Identity.file_name`; whole or not there.

        Raises:
            BuildError: a step failed; the details are the log's last lines.
            RunnerError: the runner cannot be used.
            Interrupted: all that was started is dead.
        """
        ...

    def archive(self, job: Job) -> Path:
        """Only the archive step, over what was built before.

        Raises:
            ArtifactError: nothing was built before.
        """
        ...

    def clean(self, job: Job) -> None:
        """Remove the build directory; there being none is no error."""
        ...

    def shell(self, job: Job) -> int:
        """A shell in the build directory, prepared, with everything a step sees.

        Returns:
            its exit status.
        """
        ...
