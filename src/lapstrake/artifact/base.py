"""Packages, projects and sites as values: what all of `lapstrake.artifact` works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from lapstrake.errors import UsageError
from lapstrake.names import GuestPath
from lapstrake.source.spec import SourceSpec


class PackageType(StrEnum):
    """What a package is for."""

    SYSTEM = "system"  # root filesystem and sysroot of a target
    TOOLCHAIN = "toolchain"  # a cross compiler that runs on the host
    SYSTEM_PLATFORM = "system_platform"  # what systems are built with
    TOOLCHAIN_PLATFORM = "toolchain_platform"
    PACKAGE = "package"  # anything else: a tool of the host

    @property
    def is_platform(self) -> bool:
        """Whether it is machinery: it has no artifact of its own."""
        return self in (PackageType.SYSTEM_PLATFORM, PackageType.TOOLCHAIN_PLATFORM)


class Origin(StrEnum):
    """How a package came into a project."""

    PROJECT = "project"  # it is the project
    PATH = "path"  # a folder of this host: somebody works on it
    FETCHED = "fetched"  # by git, or an archive


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSite:
    """A folder on a web server; the archive's name is put behind its URL.

    `headers` and `query` may hold ``${VARIABLE}``, filled in when they are sent and never shown.
    Of this and other sites, `foreign` says that a package names it which was fetched: it is not for
    that to say who may see our secrets.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSite:
    """A folder of this host."""

    path: Path


class Forge(StrEnum):
    """Whose releases."""

    GITHUB = "github"
    GITEA = "gitea"  # Forgejo answers the same


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSite:
    """A release of a forge, and the files that lie there.

    Attributes:
        forge: which kind.
        repository: ``OWNER/NAME``.
        tag: the release; empty for ``v`` and the package's version.
        url: the forge's own address; empty for the public one. GitHub's API has another.
        api: ask the API (private repositories), instead of the public address of the file.
        token: ``${VARIABLE}`` text; the forge's usual variables come first.
        foreign: see `UrlSite`.
    """

    forge: Forge
    repository: str
    tag: str = ""
    url: str = ""
    api: bool = False
    token: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OciSite:
    """A repository of an OCI registry: ``HOST/NAME``; the tag is made of the artifact's name."""

    repository: str
    plain: bool = False  # without TLS, also on another host
    foreign: bool = False  # see `UrlSite`


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSite:
    """A place in an object storage: ``s3://BUCKET/PREFIX`` or ``gs://BUCKET/PREFIX``."""

    url: str


Site: TypeAlias = UrlSite | FolderSite | ReleaseSite | OciSite | BucketSite


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """How an artifact is built: the commands of its steps, each a text for ``sh -e``.

    Attributes:
        name: ``script``, or ``buildroot``, whose own flow needs a `defconfig` and no commands.
        package: the dependency that brings the machinery; empty when the package does itself.
        defconfig: of Buildroot, relative to the package.
        prepare: makes the build directory ready; run again when what it reads has changed.
        build: compiles.
        archive: leaves the archive, or the tree at `output`, in the build directory.
        environment: prints variables as JSON; they join the cross environment.
        output: the folder (packed by us, reproducibly) or archive that `archive` leaves, relative
            to the build directory; empty for the archive of the download name.
    """

    name: str = "script"
    package: str = ""
    defconfig: str = ""
    prepare: str = ""
    build: str = ""
    archive: str = ""
    environment: str = ""
    output: str = ""


class SshAccess(StrEnum):
    """What a build may use to log in elsewhere."""

    NONE = "none"
    AGENT = "agent"  # the socket of ssh-agent; keys stay where they are
    DENIED = "denied"  # a package asks for the agent that was fetched, and nobody has allowed it


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSpec:
    """What an artifact is built in.

    Attributes:
        name: ``docker``, ``local`` or ``root``; empty for the default of its type.
        make_args: words behind ``make``.
        engine: docker's or podman's program; empty for the configuration's.
        dockerfile: what the image is built from, relative to the package.
        tag: the image.
        branch: of ``root``: what the root is made of; empty for the configuration's.
        packages: of ``root``: what is installed in it, as relations.
        cpus: processors' worth of time.
        memory: bytes.
        volumes: more folders: a volume's name to where it is mounted.
        network: whether steps may reach the network; ``None`` for the runner's own way: in
            containers and on the host they do, in a root they do not.
        ssh: see `SshAccess`.
    """

    name: str = ""
    make_args: tuple[str, ...] = ()
    engine: str = ""
    dockerfile: str = ""
    tag: str = ""
    branch: str = ""
    packages: tuple[str, ...] = ()
    cpus: float | None = None
    memory: int | None = None
    volumes: Mapping[str, GuestPath] = field(default_factory=dict)
    network: bool | None = None
    ssh: SshAccess = SshAccess.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A package that another one needs.

    Attributes:
        name: its name.
        source: a folder, or what is fetched.
        folder: the package's folder in what is fetched; empty for the top.
        build: whether it may be built here when no site has it.
    """

    name: str
    source: Path | SourceSpec
    folder: str = ""
    build: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package, read and checked.

    Attributes:
        name: its name; artifacts begin with it.
        type: what it is for.
        version: its version.
        folder: where it is.
        origin: how it came here.
        target: the tuple of the machine it is for (``aarch64-unknown-linux-gnu``), or empty.
        platform: how it is built; ``None``: it is only ever fetched (or is a platform).
        runner: what it is built in.
        checksum: files, folders and globs, relative to the folder, of which the checksum is made.
        sites: where it may be found, in order.
        env: variables for all that is compiled with it.
        dependencies: what it needs.
        build_allowed: whether it may be built here without being asked for by name.
        digests: SHA-256 of archives that are known beforehand, by download name.
        file: where all this was said, for messages.
        inside: of one that was fetched: the folder with all that came along, out of which no link
            of it may lead us.
    """

    name: str
    type: PackageType
    version: str
    folder: Path
    origin: Origin = Origin.PROJECT
    target: str = ""
    platform: Platform | None = None
    runner: RunnerSpec = field(default_factory=RunnerSpec)
    checksum: tuple[str, ...] = ()
    sites: tuple[Site, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    build_allowed: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    inside: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """``[firmware]``: what the system's packing script is told.

    Attributes:
        release: the folder of the application's files, relative to the project.
        config: another ``fwup.conf``; empty for the system's.
        overlays: folders laid over the root filesystem, in order.
        priorities: a file of squashfs sort priorities.
        post_script: run before the file system is made.
        output: the file; empty for ``.nerves/images/NAME.fw``.
        squashfs_flags: words for mksquashfs.
        product: for ``NERVES_FW_PRODUCT``, and likewise:
        description: see there.
        author: see there.
    """

    release: str = ""
    config: str = ""
    overlays: tuple[str, ...] = ()
    priorities: str = ""
    post_script: str = ""
    output: str = ""
    squashfs_flags: tuple[str, ...] = ()
    product: str = ""
    description: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A package or an application, with all that it depends on.

    Attributes:
        name: of the topmost.
        version: likewise.
        folder: where it is.
        packages: all packages, each behind those it needs; the project itself last, if it is one.
        target: the tuple of the machine: its own word, else its system's, else its toolchain's.
        env: the project's own variables; they come after those of its packages.
        firmware: how it is packed.
        file: where it was said.
        files: all that was read for it: manifests, and files that hold versions.
    """

    name: str
    version: str
    folder: Path
    packages: tuple[Package, ...]
    target: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    firmware: Firmware = field(default_factory=Firmware)
    file: Path | None = None
    files: tuple[Path, ...] = ()

    @property
    def system(self) -> Package | None:
        """The only system, if there is one."""
        return self.first(PackageType.SYSTEM)

    @property
    def toolchain(self) -> Package | None:
        """The only toolchain, if there is one."""
        return self.first(PackageType.TOOLCHAIN)

    def first(self, type_: PackageType) -> Package | None:
        """The first package of a type."""
        return next((each for each in self.packages if each.type is type_), None)

    def package(self, name: str) -> Package | None:
        """A package by its name."""
        return next((each for each in self.packages if each.name == name), None)

    def named(self, name: str) -> Package:
        """A package that somebody names, to do something with its artifact.

        Raises:
            UsageError: there is no such package, or it has no artifact.
        """
        known = ", ".join(each.name for each in self.packages if not each.type.is_platform)
        found = self.package(name)
        if found is None:
            raise UsageError(
                f"{self.name} has no package {name!r}", resolution=f"It has: {known or 'none'}."
            )
        if found.type.is_platform:
            raise UsageError(
                f"{name} is a {found.type}: it has no artifact",
                resolution=f"Name one of: {known or 'none'}.",
            )
        return found

    def platform_of(self, package: Package) -> Package | None:
        """The package whose machinery builds another one."""
        wanted = package.platform.package if package.platform else ""
        return self.package(wanted) if wanted else None
