"""Roots, builds and branches: ``[base]``, ``[runner]``, ``[limits]``, ``[build]`` and others."""

# ruff: noqa: RUF009 - setting() gives dataclass fields

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lapstrake.config.kinds import (
    DIGEST,
    DURATION,
    FLAG,
    NUMBER,
    PATH,
    SIZE,
    TEXT,
    TEXTS,
    above_zero,
    choice,
    whole_number,
)
from lapstrake.config.places import default_download_dir, host_codename
from lapstrake.config.setting import setting
from lapstrake.names import Digest

_GIB = 1024**3


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
