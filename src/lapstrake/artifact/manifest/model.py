"""The model of a ``lapstrake.toml`` that describes a package or a project.

Importing this loads pydantic: only `lapstrake.artifact.manifest.read` does, and only for a file
that was not read before. The JSON schema and docs/reference/packages.md are made from it.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lapstrake.artifact.manifest.model_sites import SiteTable
from lapstrake.bundle.native_model import Relation
from lapstrake.config.tables import Commands, Line, RelativePath, Size, Table, Variable

DEPENDENCY_SOURCES = ("path", "git", "url")
"""The keys of which a dependency has exactly one."""
_LONGEST = 100  # of a name and a version: together they must fit a file's name of 255 bytes

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=_LONGEST)]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+~_-]*$", max_length=_LONGEST)]
Tuple = Annotated[str, Field(pattern=r"^[a-z0-9_]+(-[a-z0-9_.]+){1,3}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _guest_place(text: str) -> str:
    """A folder of a root or container; what engines' options would read otherwise is refused."""
    if {".", ".."}.intersection(text.split("/")) or re.search('[,"]', text):
        raise ValueError(f"{text!r} has a comma, a quote or a part . or ..")
    return text


def _glob(text: str) -> str:
    """A pattern that leads out of its folder by no escaped ``..`` either."""
    if ".." in text.replace("\\", "").split("/"):
        raise ValueError(f"{text!r} must be relative and stay below its folder")
    return text


ImageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$")]
VolumeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Absolute = Annotated[
    str, Field(pattern=r"^/([^/\x00-\x1f]+/)*[^/\x00-\x1f]+$"), AfterValidator(_guest_place)
]


class PackageTable(Table):
    """A package that an artifact is made of. Without `type`, the folder is a bundle instead."""

    name: Name = Field(description="Its name; artifacts begin with it.")
    type: Literal["system", "toolchain", "system_platform", "toolchain_platform", "package"] = (
        Field(description="What it is for.")
    )
    version: Version | None = Field(default=None, description="Its version.")
    version_file: RelativePath | None = Field(
        default=None, description="A file whose first line is the version, instead of `version`."
    )
    target: Tuple | None = Field(
        default=None, description='The machine it is for: "aarch64-unknown-linux-gnu".'
    )
    description: str = Field(default="", description="For people.")
    checksum: list[Annotated[RelativePath, AfterValidator(_glob)]] = Field(
        default=[], description="Files, folders and globs that the artifact is made from."
    )

    @model_validator(mode="after")
    def _is_possible(self) -> PackageTable:
        if (self.version is None) == (self.version_file is None):
            raise ValueError("needs exactly one of version and version_file")
        if self.name.upper().replace("-", "_") in _TAKEN:
            raise ValueError(
                f"{self.name} cannot be a name: the variable {self.name.upper()} means something "
                "else, and would be taken for the place of its artifact"
            )
        return self


_TAKEN = frozenset({
    "AR", "AS", "CC", "CFLAGS", "CXX", "CXXFLAGS", "DISPLAY", "EDITOR", "HOME", "LANG", "LANGUAGE",
    "LC_ALL", "LD", "LDFLAGS", "LOGNAME", "MAIL", "MAKE", "MAKEFLAGS", "PAGER", "PATH", "PWD",
    "SHELL", "SHLVL", "STRIP", "TERM", "TMP", "TMPDIR", "TZ", "UID", "USER",
})  # fmt: skip


class ProjectTable(Table):
    """An application: it has no artifact of its own, but needs those of its dependencies."""

    name: Name = Field(description="Its name.")
    version: Version = Field(default="0", description="Its version.")
    target: Tuple | None = Field(
        default=None, description="The machine it is for; a dependency must be a system then."
    )


class PlatformTable(Table):
    """How the artifact is built; commands that are not given are those of the platform's package.

    Without this table an artifact is only ever fetched.
    """

    name: Literal["script", "buildroot"] | None = Field(
        default=None, description="`script` runs the commands, `buildroot` is Buildroot's own flow."
    )
    package: Name | None = Field(
        default=None,
        description="The dependency that brings the machinery; the only platform by default.",
    )
    defconfig: RelativePath | None = Field(default=None, description="Buildroot's configuration.")
    prepare: Commands | None = Field(
        default=None, description="Makes the build directory ready; run when its input changed."
    )
    build: Commands | None = Field(default=None, description="Compiles.")
    archive: Commands | None = Field(
        default=None, description="Leaves the archive, or the tree at `output`."
    )
    environment: Commands | None = Field(
        default=None, description="Prints a JSON object: more variables for cross-compiling."
    )
    output: RelativePath | None = Field(
        default=None,
        description="The folder (or archive) below the build directory that is the artifact.",
    )


class DockerTable(Table):
    """The image of the runner `docker`."""

    dockerfile: RelativePath | None = Field(
        default=None, description="What it is built from, relative to the package."
    )
    tag: ImageName | None = Field(default=None, description="What it is called.")


class RunnerTable(Table):
    """What the artifact is built in."""

    name: Literal["docker", "local", "root"] | None = Field(
        default=None, description="The runner; the type and the host decide by default."
    )
    make_args: list[str] = Field(default=[], description="Words behind `make`.")
    engine: Literal["docker", "podman"] | None = Field(
        default=None, description="The program of containers; the configuration's if unset."
    )
    docker: DockerTable = DockerTable()
    branch: Line | None = Field(
        default=None, description="Of `root`: the branch that the root is made of."
    )
    packages: list[Relation] = Field(default=[], description="Of `root`: what is installed in it.")
    cpus: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Processors' worth of time."
    )
    memory: Size | None = Field(
        default=None, ge=1, description='Such as "8GiB"; a number is bytes.'
    )
    volumes: dict[VolumeName, Absolute] = Field(
        default={}, description="More kept folders: a volume's name and where it is mounted."
    )
    network: bool | None = Field(
        default=None,
        description="Whether steps may reach the network; if unset, only `root` keeps them off.",
    )
    ssh: Literal["none", "agent"] = Field(
        default="none", description="Whether steps may use the host's ssh-agent."
    )


class DependencyTable(Table):
    """Another package that this one needs."""

    path: Line | None = Field(default=None, description="A folder of this host.")
    git: Line | None = Field(default=None, description="A git repository's URL.")
    url: Line | None = Field(default=None, description="An archive's URL.")
    revision: Line | None = Field(default=None, description="Of git: a commit.")
    tag: Line | None = Field(default=None, description="Of git: a tag, looked up once.")
    branch: Line | None = Field(default=None, description="Of git: where the revision is.")
    submodules: bool = Field(default=True, description="Of git: whether they are fetched too.")
    sha256: Sha256 | None = Field(default=None, description="Of url: what the archive must be.")
    folder: RelativePath | None = Field(
        default=None, description="Of git and url: the package's folder in what is fetched."
    )
    build: bool = Field(
        default=False, description="Whether it may be built here when no site has it."
    )

    @property
    def kinds(self) -> list[str]:
        """Which of `DEPENDENCY_SOURCES` it has."""
        return [kind for kind in DEPENDENCY_SOURCES if getattr(self, kind) is not None]

    @model_validator(mode="after")
    def _is_pinned(self) -> DependencyTable:
        kinds = self.kinds
        if len(kinds) != 1 and (kinds or self._source_is_needed()):
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"needs exactly one of {', '.join(DEPENDENCY_SOURCES)}, has {found}")
        kind = kinds[0] if kinds else ""
        for key, of in _BELONGS_TO.items():
            if getattr(self, key) is not None and kind not in of:
                raise ValueError(f"{key} goes with {' and '.join(of)} only")
        if kind == "git" and (self.revision is None) == (self.tag is None):
            raise ValueError("git needs either a revision or a tag")
        if kind == "url" and self.sha256 is None:
            raise ValueError("url needs sha256")
        return self

    def _source_is_needed(self) -> bool:
        return True


_BELONGS_TO = {
    "revision": ("git",),
    "tag": ("git",),
    "branch": ("git",),
    "sha256": ("url",),
    "folder": ("git", "url"),
}


class OverrideTable(DependencyTable):
    """What the project decides about a package, whoever depends on it."""

    build: bool | None = Field(  # type: ignore[assignment]
        default=None, description="Whether it may be built here when no site has it."
    )
    ssh: Literal["agent"] | None = Field(
        default=None, description="Let its build use the host's ssh-agent, though it was fetched."
    )

    def _source_is_needed(self) -> bool:
        return False


class FirmwareTable(Table):
    """What the system's packing script is told by `lapstrake firmware`."""

    release: RelativePath | None = Field(
        default=None, description="The folder of the application's files."
    )
    config: RelativePath | None = Field(
        default=None, description="Another `fwup.conf` than the system's."
    )
    overlays: list[RelativePath] = Field(
        default=[], description="Folders that are laid over the root filesystem, in order."
    )
    priorities: RelativePath | None = Field(
        default=None, description="A file of squashfs sort priorities."
    )
    post_script: RelativePath | None = Field(
        default=None, description="Run before the file system is made."
    )
    output: RelativePath | None = Field(
        default=None, description="The firmware; `.nerves/images/NAME.fw` if unset."
    )
    squashfs_flags: list[str] = Field(default=[], description="Words for mksquashfs.")
    product: Line | None = Field(default=None, description="For `NERVES_FW_PRODUCT`.")
    description: Line | None = Field(default=None, description="For `NERVES_FW_DESCRIPTION`.")
    author: Line | None = Field(default=None, description="For `NERVES_FW_AUTHOR`.")


class _Common(Table):
    env: dict[Variable, str] = Field(
        default={},
        description="Variables for all that is compiled with it. `${NAME}` is a variable that was "
        "set before: by what it needs, or `NERVES_SYSTEM`, `NERVES_TOOLCHAIN` and the like.",
    )
    dependencies: dict[Name, DependencyTable] = Field(
        default={}, description="The packages it needs, each in a table under its name."
    )
    overrides: dict[Name, OverrideTable] = Field(
        default={}, description="In effect only in the folder that commands are run in."
    )


class PackageManifest(_Common):
    """A ``lapstrake.toml`` with a package."""

    package: PackageTable
    platform: PlatformTable | None = None
    runner: RunnerTable = RunnerTable()
    site: list[SiteTable] = Field(
        default=[], description="Where prebuilt artifacts are looked for, in order."
    )
    digests: dict[Line, Sha256] = Field(
        default={}, description="SHA-256 of archives that are known beforehand, by file name."
    )

    @model_validator(mode="after")
    def _digests_are_of_its_archives(self) -> PackageManifest:
        for name in self.digests:
            if not name.startswith(f"{self.package.name}-") or "/" in name:
                raise ValueError(f"digests: {name!r} is no archive of {self.package.name}")
        return self


class ProjectManifest(_Common):
    """A ``lapstrake.toml`` with an application."""

    project: ProjectTable
    firmware: FirmwareTable = FirmwareTable()
