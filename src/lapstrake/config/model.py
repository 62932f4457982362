"""The configuration as values. Every setting is declared here, and only here."""

# ruff: noqa: RUF009 - setting() and section() give dataclass fields

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.config.kinds import (
    ABSOLUTE_PATH,
    ARCH,
    DIGEST,
    DURATION,
    FLAG,
    NUMBER,
    PATH,
    PATHS,
    SIZE,
    TEXT,
    TEXTS,
    above_zero,
    choice,
    many,
    whole_number,
)
from lapstrake.config.places import default_download_dir, default_work_dir, os_release
from lapstrake.config.setting import section, setting
from lapstrake.names import Arch, BranchName, Digest

if TYPE_CHECKING:
    from lapstrake.formats.sources_list import SourceList

_GIB = 1024**3
_MACHINES = {
    "x86_64": Arch.AMD64,
    "aarch64": Arch.ARM64,
    "armv7l": Arch.ARMHF,
    "i686": Arch.I386,
    "loongarch64": Arch.LOONG64,
    "mips64": Arch.MIPS64EL,
    "ppc64le": Arch.PPC64EL,
    "riscv64": Arch.RISCV64,
    "s390x": Arch.S390X,
}  # what uname(2) calls them


class BaseMethod(StrEnum):
    """Where the base OS comes from."""

    DEBOOTSTRAP = "debootstrap"
    TARBALL = "tarball"
    OCI = "oci"


class RunnerName(StrEnum):
    """How commands run inside a root."""

    AUTO = "auto"
    USERNS = "userns"
    NSPAWN = "nspawn"
    DOCKER = "docker"
    LOCAL = "local"


class RefreshMode(StrEnum):
    """Whether a build looks for upgrades of its branch first."""

    ALWAYS = "always"
    NEVER = "never"


def host_arch() -> Arch:
    """The architecture of this host's kernel; amd64 when we have no name for it."""
    return _MACHINES.get(os.uname().machine, Arch.AMD64)


def host_codename() -> str:
    """The codename of the host's release (``bookworm``), empty when it does not say."""
    return os_release().get("VERSION_CODENAME", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseConfig:
    """``[base]``: the base OS."""

    method: BaseMethod = setting(
        choice(BaseMethod), "debootstrap, tarball or oci", default=BaseMethod.DEBOOTSTRAP
    )
    suite: str = setting(TEXT, "the suite to bootstrap", factory=host_codename)
    variant: str = setting(TEXT, "the variant to bootstrap, as mmdebstrap names it", default="apt")
    packages: tuple[str, ...] = setting(TEXTS, "packages beyond the variant's", default=())
    url: str = setting(TEXT, "the tarball (path or URL) or the OCI image", default="")
    checksum: Digest | None = setting(DIGEST, "the checksum of what url names", default=None)
    buildkit_url: str = setting(TEXT, "where AOSC's BuildKit tarballs are listed", default="")
    source_list: Path | None = setting(
        PATH, "the list of sources of the base OS itself", default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """``[limits]``: what one build may use; ``None`` is as much as the host has."""

    memory: int | None = setting(above_zero(SIZE), 'memory, such as "4GiB"', default=None)
    disk: int | None = setting(above_zero(SIZE), "room for the workspace", default=None)
    time: float | None = setting(above_zero(DURATION), 'time, such as "2h"', default=None)
    processes: int | None = setting(
        whole_number(least=1), "processes and threads at a time", default=None
    )
    cpus: float | None = setting(NUMBER, "processors' worth of time", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerConfig:
    """``[runner]``: how commands run inside a root."""

    name: RunnerName = setting(
        choice(RunnerName), "auto, userns, nspawn, docker or local", default=RunnerName.AUTO
    )
    docker: str = setting(TEXT, "docker's program; empty for docker, else podman", default="")
    image: str = setting(TEXT, "the image that docker builds in; empty for the branch", default="")
    docker_options: tuple[str, ...] = setting(TEXTS, "more options for docker run", default=())
    nspawn_options: tuple[str, ...] = setting(TEXTS, "more options for nspawn", default=())
    host_network: bool = setting(
        FLAG, "builds with the network reach this host's loopback, too", default=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """``[cache]``: what is kept to be fast."""

    budget: int = setting(SIZE, "room for layers; older ones go", default=20 * _GIB)
    download_dir: Path = setting(
        PATH,
        "the folder of downloaded sources",
        factory=default_download_dir,
        variables=("LAPSTRAKE_DL_DIR", "NERVES_DL_DIR"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """``[build]``: how bundles are built."""

    jobs: int | None = setting(
        whole_number(least=1), "parallel jobs of a build; the processors if not set", default=None
    )
    keep_failed: bool = setting(FLAG, "keep the workspace of a failed build", default=False)
    maintainer: str = setting(TEXT, "the maintainer of packages that name none", default="")
    epoch: int | None = setting(
        whole_number(least=0),
        "seconds since 1970 for all files' times; the bundle's own if not set",
        default=None,
        variables=("SOURCE_DATE_EPOCH",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryConfig:
    """``[repository]``: the repositories that branches are published in."""

    sign_key: str = setting(TEXT, "the GnuPG key that signs; empty for our own", default="")
    origin: str = setting(TEXT, "the Origin field", default="Lapstrake")
    label: str = setting(TEXT, "the Label field", default="Lapstrake")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshConfig:
    """``[refresh]``: looking for upgrades of a branch before a build."""

    mode: RefreshMode = setting(choice(RefreshMode), "always or never", default=RefreshMode.ALWAYS)
    max_age: float = setting(DURATION, "do not look again within this time", default=0.0)


class Strategy(StrEnum):
    """How the packages of an image are put into layers."""

    EXPECTED = "expected"
    NIXERY = "nixery"


class Compression(StrEnum):
    """How layers of images are compressed."""

    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesConfig:
    """``[images]``: images made of packages."""

    base: bool = setting(
        FLAG, "put images on the base OS, not only on what they need", default=False
    )
    always: tuple[str, ...] = setting(
        TEXTS,
        "packages that every image has",
        default=("base-files", "netbase", "ca-certificates"),
    )
    platforms: tuple[Arch, ...] = setting(
        many(ARCH), "architectures of an image whose name has none; empty for arch", default=()
    )
    budget: int = setting(whole_number(least=1), "the most layers of an image", default=94)
    strategy: Strategy = setting(
        choice(Strategy), "expected or nixery: how layers are chosen", default=Strategy.EXPECTED
    )
    plan: Path | None = setting(PATH, "the file of the pinned plan for layers", default=None)
    compression: Compression = setting(
        choice(Compression), "gzip or zstd", default=Compression.GZIP
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NixConfig:
    """``[nix]``: Nix as a source of packages; the first one that is set holds."""

    channel: str = setting(TEXT, "a channel, or a revision of 40 digits", default="")
    repository: str = setting(TEXT, "a git repository; an image's tag is the revision", default="")
    path: Path | None = setting(PATH, "a folder with a default.nix", default=None)
    timeout: float = setting(
        above_zero(DURATION), "the most time for the packages of one image", default=3600.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """``[registry]``: what serves images."""

    listen: str = setting(TEXT, "the address and port", default="127.0.0.1:5000")
    storage: str = setting(
        TEXT, "where blobs are: empty for work_dir, s3://BUCKET/..., gs://BUCKET/...", default=""
    )
    branch: str = setting(TEXT, "the branch that the tag latest means", default="stable")
    timeout: float = setting(above_zero(DURATION), "the most time a client waits", default=1800.0)
    makers: int = setting(whole_number(least=1), "images made at the same time", default=2)
    htpasswd: Path | None = setting(PATH, "users and their passwords (bcrypt)", default=None)
    token_file: Path | None = setting(PATH, "the file of a token that may do all", default=None)
    tls_certificate: Path | None = setting(PATH, "the certificate, for https", default=None)
    tls_key: Path | None = setting(PATH, "the certificate's key", default=None)
    namespaces: tuple[str, ...] = setting(
        TEXTS, "first parts of names to push to; no image is made there", default=("push", "local")
    )
    read_only: bool = setting(FLAG, "refuse pushes and deletions", default=False)
    anonymous_pull: bool = setting(FLAG, "whoever comes may pull", default=False)
    redirect: bool = setting(
        FLAG, "send clients to the storage's own addresses, where it has some", default=True
    )
    workers: int = setting(whole_number(least=1), "processes that answer", default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactsConfig:
    """``[artifacts]``: systems, toolchains and tools that are fetched, or built here."""

    folder: Path | None = setting(
        PATH,
        "where artifacts are kept, unpacked",
        default=None,
        variables=("NERVES_ARTIFACTS_DIR",),
    )
    budget: int = setting(
        SIZE, "room for artifacts when `artifact prune` is asked for none", default=50 * _GIB
    )
    timeout: float = setting(
        above_zero(DURATION), "the most time without a byte of a site", default=60.0
    )
    retries: int = setting(whole_number(least=0), "more attempts at a site", default=3)
    branch: str = setting(TEXT, "the branch whose root builds artifacts", default="stable")
    images: str = setting(
        TEXT,
        "where the images of platforms are: what docker builds in when a package names no image",
        default="ghcr.io/nerves-project",
    )
    trusted: tuple[str, ...] = setting(
        TEXTS,
        "servers that may see tokens and variables though only a fetched package names them",
        default=(),
    )
    offline: bool = setting(FLAG, "ask no site", default=False)


class PlacementKind(StrEnum):
    """How the farm chooses what runs where."""

    CRITICAL_PATH = "critical-path"
    MAKESPAN = "makespan"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmConfig:
    """``[farm]``: the server, its workers and its clients."""

    server: str = setting(
        TEXT,
        "the farm that workers and clients talk to",
        default="http://127.0.0.1:7400",
        variables=("LAPSTRAKE_SERVER",),
    )
    token_file: Path | None = setting(
        PATH, "the file of the token that workers and clients show", default=None
    )
    listen: str = setting(TEXT, "the address and port of `serve`", default="127.0.0.1:7400")
    url: str = setting(TEXT, "the server's public address, for links; empty: as listen", default="")
    database: str = setting(
        TEXT,
        "empty for SQLite in work_dir/farm, or postgresql://USER:PASSWORD@HOST/NAME",
        default="",
    )
    worker_database: str = setting(
        TEXT, "the same database as workers reach it, with a role for the engine only", default=""
    )
    slots: int = setting(whole_number(least=0), "builds at a time of the server itself", default=1)
    capabilities: tuple[str, ...] = setting(
        TEXTS, "what this machine's builders claim besides: local, secrets, gpu ...", default=()
    )
    pool: str = setting(
        TEXT, "a word; this machine's builders build only what asks for it", default=""
    )
    tls_certificate: Path | None = setting(PATH, "the certificate, for https", default=None)
    tls_key: Path | None = setting(PATH, "the certificate's key", default=None)
    anonymous_read: bool = setting(FLAG, "whoever comes may look", default=False)
    registry: bool = setting(
        FLAG, "serve images, too, made when they are pulled, as [registry] says", default=True
    )
    attempts: int = setting(
        whole_number(least=1), "workers that may be lost before a task is given up", default=3
    )
    heartbeat: float = setting(above_zero(DURATION), "between a worker's heartbeats", default=3.0)
    fence_after: float = setting(
        above_zero(DURATION), "without the engine, a worker kills what it builds", default=25.0
    )
    dead_after: float = setting(
        above_zero(DURATION),
        "silent, a worker loses its tasks; more than fence_after",
        default=30.0,
    )
    new_timeout: float = setting(
        above_zero(DURATION), "a task may lack its bundle or branch for so long", default=86400.0
    )
    queue_timeout: float = setting(
        above_zero(DURATION), "a task may wait for a worker for so long", default=7 * 86400.0
    )
    fetch_timeout: float = setting(
        above_zero(DURATION), "a worker may bring things together for so long", default=7200.0
    )
    silence_limit: float = setting(
        DURATION, "a build whose log says nothing for so long is stopped; 0: never", default=10800.0
    )
    upload_limit: int = setting(SIZE, "bytes of one upload", default=_GIB)
    bundle_limit: int = setting(SIZE, "bytes of an unpacked bundle", default=4 * _GIB)
    requests: int = setting(whole_number(least=1), "requests of one token a minute", default=6000)
    stop_after: float = setting(
        DURATION, "a server that stops lets its own builds end for so long", default=60.0
    )
    webhook_private: bool = setting(
        FLAG, "webhooks may go to the server's own network", default=False
    )
    disk_low: int = setting(SIZE, "room below which the farm makes room", default=5 * _GIB)
    keep: float = setting(
        above_zero(DURATION), "logs and results of ended tasks are kept", default=90 * 86400.0
    )
    placement: PlacementKind = setting(
        choice(PlacementKind), "how tasks are put on machines", default=PlacementKind.CRITICAL_PATH
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """URLs that start with a prefix are fetched from replacements instead, tried in order.

    Attributes:
        prefix: what such URLs start with.
        replacements: what stands there instead.
        key: the rule's name in `Config.origins`: ``mirrors.PREFIX``, or ``rewrite.N`` from 1.
    """

    prefix: str
    replacements: tuple[str, ...]
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Where a secret's value is; exactly one of the two is set. The value itself is never kept."""

    name: str
    env: str = ""
    file: Path | None = None


class OriginKind(StrEnum):
    """What can set a value, weakest first."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value came from.

    Attributes:
        kind: what set it.
        place: the file and line, or the variable's name.
    """

    kind: OriginKind = OriginKind.DEFAULT
    place: str = ""

    def __str__(self) -> str:
        return self.place or str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings.

    Attributes:
        rewrites: ``[mirrors]`` and ``[[rewrite]]``, in order.
        dependency_names: a bundle's word for a dependency → a package's name; empty to leave out.
        secrets: what builds may ask for, by name.
        image_sets: words in images' names that stand for packages.
        folder: the folder of configuration; ``None`` when the built-in one holds.
        origins: where each value that is no default came from, by key; entries of tables, too:
            ``mirrors.PREFIX``, ``rewrite.N``, ``dependency_names.NAME``, ``secrets.NAME``.
    """

    work_dir: Path = setting(ABSOLUTE_PATH, "where everything is kept", factory=default_work_dir)
    arch: Arch = setting(ARCH, "the architecture to build for", factory=host_arch)
    tree: tuple[Path, ...] = setting(PATHS, "trees of bundles, searched in order", default=())
    base: BaseConfig = section(BaseConfig)
    limits: LimitsConfig = section(LimitsConfig)
    runner: RunnerConfig = section(RunnerConfig)
    cache: CacheConfig = section(CacheConfig)
    build: BuildConfig = section(BuildConfig)
    repository: RepositoryConfig = section(RepositoryConfig)
    refresh: RefreshConfig = section(RefreshConfig)
    images: ImagesConfig = section(ImagesConfig)
    nix: NixConfig = section(NixConfig)
    registry: RegistryConfig = section(RegistryConfig)
    artifacts: ArtifactsConfig = section(ArtifactsConfig)
    farm: FarmConfig = section(FarmConfig)
    image_sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rewrites: tuple[Rewrite, ...] = ()
    dependency_names: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    folder: Path | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def origin(self, key: str) -> Origin:
        """Where a value came from."""
        return self.origins.get(key, Origin())

    def branches(self) -> Mapping[BranchName, SourceList]:
        """All branches with their lists, by name; see `lapstrake.config.branches`.

        Raises:
            ConfigError: a list is wrong, or a file's name names no branch.
        """
        from lapstrake.config.branches import all_branches

        return all_branches(self.folder)

    def branch(self, name: BranchName) -> SourceList:
        """One branch's list.

        Raises:
            BranchError: there is no such branch; the resolution names the file to create.
            ConfigError: its list is wrong.
        """
        from lapstrake.config.branches import one_branch

        return one_branch(self.folder, name)

    def rewrite_rules(self) -> tuple[Rewrite, ...]:
        """The rules for URLs: `rewrites`, then the built-in one for ``debian:///``.

        A source's URL may start with ``debian:///`` to mean the archive that the host's apt uses.
        """
        from lapstrake.config.host_apt import ARCHIVE_PREFIX, archive_uris

        if any(rule.prefix.startswith("debian:") for rule in self.rewrites):
            return self.rewrites
        uris = archive_uris()
        built_in = (Rewrite(prefix=ARCHIVE_PREFIX, replacements=uris),) if uris else ()
        return self.rewrites + built_in
