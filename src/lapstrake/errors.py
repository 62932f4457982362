"""Every error Lapstrake raises on purpose, and the exit code of each.

::

    LapstrakeError                1  something went wrong
    ├── UsageError                2  the command line asks for something that makes no sense
    ├── ConfigError               3  the configuration is missing or wrong
    ├── BaseError                 4  the base OS is missing, or could not be loaded
    ├── BranchError               5  the branch is unknown, or its instance could not be refreshed
    ├── BundleError               6  the bundle (spec, defines, debian/, lapstrake.toml) is wrong
    ├── FetchError                7  a source could not be fetched
    ├── ChecksumError             8  a source is not what its checksum says
    ├── UnpackError               9  an archive is truncated, hostile or of an unknown kind
    ├── DependencyError          10  build dependencies cannot be installed
    ├── RunnerError              11  the sandbox could not be set up
    ├── StepError                    a step of the build failed; the code names the step
    │   ├── PrepareError         12  patches or prepare scripts
    │   ├── ConfigureError       13  configure
    │   ├── CompileError         14  build
    │   ├── InstallError         15  install
    │   ├── QualityError         16  QA
    │   └── PackError            17  packing, or no package at all
    ├── PublishError             18  the branch's repository could not be written
    ├── LimitError               19  out of time, memory, disk or processes
    ├── StoreError               20  the layer store, or the disk below it
    ├── GroupError               21  members of a group failed
    ├── ReproduceError           22  --check built different bytes
    ├── MissingError             23  no package source has these packages; all of them are named
    ├── ImageError               24  the image cannot be made, or not be written
    ├── RegistryError            25  another registry refused, or cannot be reached
    ├── ProjectError             26  a project's or package's lapstrake.toml is wrong
    ├── ArtifactError            27  an artifact is nowhere to be had, damaged, cannot be kept
    ├── BuildError               28  a step of an artifact's platform failed
    ├── StaleError               29  artifacts are missing or stale, and may not be built here
    ├── ToolchainError           30  no environment for cross-compiling can be made
    ├── FarmError                31  the farm refused, or cannot be reached
    └── TaskError                32  a task of the farm did not succeed
    Interrupted                 130  by the user (143 when told to terminate)

The codes are part of the interface: they are never reused for something else.
"""

from __future__ import annotations

from typing import ClassVar


class LapstrakeError(Exception):
    """Something a user can do something about.

    Args:
        brief: one line, what is wrong and where.
        details: what was seen (a program's last lines, both checksums ...), may have many lines.
        resolution: what to do about it, as an imperative sentence.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, brief: str, *, details: str = "", resolution: str = "") -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution

    def __str__(self) -> str:
        parts = [self.brief]
        if self.details:
            parts.append(self.details)
        if self.resolution:
            parts.append(self.resolution)
        return "\n".join(parts)


class UsageError(LapstrakeError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class ConfigError(LapstrakeError):
    """The configuration is missing or wrong; the brief names file, line and key."""

    exit_code = 3


class BaseError(LapstrakeError):
    """The base OS is missing, or could not be loaded or updated."""

    exit_code = 4


class BranchError(LapstrakeError):
    """The branch is unknown, or its instance could not be refreshed."""

    exit_code = 5


class BundleError(LapstrakeError):
    """The bundle is wrong: the brief names file and line."""

    exit_code = 6


class FetchError(LapstrakeError):
    """A source could not be fetched."""

    exit_code = 7


class ChecksumError(LapstrakeError):
    """A source is not what its checksum says; the details show both sums."""

    exit_code = 8


class UnpackError(LapstrakeError):
    """An archive is truncated, hostile or of an unknown kind; the brief names the entry."""

    exit_code = 9


class DependencyError(LapstrakeError):
    """Build dependencies cannot be installed; the brief names them."""

    exit_code = 10


class RunnerError(LapstrakeError):
    """The sandbox could not be set up; the command in it never ran."""

    exit_code = 11


class StepError(LapstrakeError):
    """A step of the build failed."""


class PrepareError(StepError):
    """Patches did not apply, or a prepare script failed."""

    exit_code = 12


class ConfigureError(StepError):
    """Configuring the sources failed."""

    exit_code = 13


class CompileError(StepError):
    """Building the sources failed."""

    exit_code = 14


class InstallError(StepError):
    """Installing into the package's directory failed."""

    exit_code = 15


class QualityError(StepError):
    """The package's content breaks a rule of the QA."""

    exit_code = 16


class PackError(StepError):
    """Packing failed, or the build ended without a package."""

    exit_code = 17


class PublishError(LapstrakeError):
    """The branch's repository could not be written."""

    exit_code = 18


class LimitError(LapstrakeError):
    """A build was stopped for using more time, memory, disk or processes than it may."""

    exit_code = 19


class StoreError(LapstrakeError):
    """The layer store is damaged, or the disk below it is full."""

    exit_code = 20


class GroupError(LapstrakeError):
    """Members of a group failed."""

    exit_code = 21


class ReproduceError(LapstrakeError):
    """A second build of the same inputs made different bytes."""

    exit_code = 22


class MissingError(LapstrakeError):
    """No package source has these packages.

    Args:
        names: all that are missing, sorted as they were asked for.
        brief: one line; made from the names when it is empty.
        details: as for every error.
        resolution: as for every error.
    """

    exit_code = 23

    def __init__(
        self, names: tuple[str, ...], *, brief: str = "", details: str = "", resolution: str = ""
    ) -> None:
        super().__init__(
            brief or f"not found: {', '.join(names)}", details=details, resolution=resolution
        )
        self.names = names

    @property
    def document(self) -> dict[str, object]:
        """The answer for programs: ``error`` is ``not_found``, ``pkgs`` are the names."""
        return {"error": "not_found", "pkgs": list(self.names)}


class ImageError(LapstrakeError):
    """The image cannot be made, or not be written where it should go."""

    exit_code = 24


class RegistryError(LapstrakeError):
    """Another registry refused, or cannot be reached."""

    exit_code = 25


class ProjectError(LapstrakeError):
    """A project's or package's ``lapstrake.toml`` is wrong, or what it depends on is."""

    exit_code = 26


class ArtifactError(LapstrakeError):
    """An artifact is nowhere to be had, is damaged, or cannot be kept."""

    exit_code = 27


class BuildError(LapstrakeError):
    """A step of an artifact's platform failed; the details are the log's last lines."""

    exit_code = 28


class StaleError(LapstrakeError):
    """Artifacts are missing or older than their inputs, and nobody allowed to build them here."""

    exit_code = 29


class ToolchainError(LapstrakeError):
    """No environment for cross-compiling can be made of what there is."""

    exit_code = 30


class FarmError(LapstrakeError):
    """The farm refused, or cannot be reached."""

    exit_code = 31


class TaskError(LapstrakeError):
    """A task of the farm that was waited for did not succeed."""

    exit_code = 32


class VersionError(LapstrakeError):
    """A worker and its farm's server speak different protocols; one has to be upgraded."""

    exit_code = 33


class Interrupted(BaseException):
    """The user interrupted the work, or the process was told to terminate.

    No `LapstrakeError`, nor any ``Exception``: what copes with errors must not cope with this.

    Args:
        signal_number: what told us.
    """

    def __init__(self, signal_number: int) -> None:
        self.brief = f"interrupted by signal {signal_number}"
        super().__init__(self.brief)
        self.signal_number = signal_number

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as a shell would say it."""
        return 128 + self.signal_number
