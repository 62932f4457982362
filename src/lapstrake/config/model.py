"""The configuration as a value; its sections are declared in `lapstrake.config.sections`.

Who reads a setting takes its section's names from here.
"""

# ruff: noqa: RUF009 - setting() and section() give dataclass fields

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.config.kinds import ABSOLUTE_PATH, ARCH, PATHS
from lapstrake.config.places import default_work_dir
from lapstrake.config.sections.artifacts import ArtifactsConfig
from lapstrake.config.sections.building import (
    BaseConfig,
    BaseMethod,
    BuildConfig,
    CacheConfig,
    LimitsConfig,
    RefreshConfig,
    RefreshMode,
    RepositoryConfig,
    RunnerConfig,
    RunnerName,
)
from lapstrake.config.sections.farm import FarmConfig, PlacementKind
from lapstrake.config.sections.images import (
    Compression,
    ImagesConfig,
    NixConfig,
    RegistryConfig,
    Strategy,
)
from lapstrake.config.setting import section, setting
from lapstrake.names import Arch, BranchName

if TYPE_CHECKING:
    from lapstrake.formats.sources_list import SourceList

__all__ = [
    "ArtifactsConfig",
    "BaseConfig",
    "BaseMethod",
    "BuildConfig",
    "CacheConfig",
    "Compression",
    "Config",
    "FarmConfig",
    "ImagesConfig",
    "LimitsConfig",
    "NixConfig",
    "Origin",
    "OriginKind",
    "PlacementKind",
    "RefreshConfig",
    "RefreshMode",
    "RegistryConfig",
    "RepositoryConfig",
    "Rewrite",
    "RunnerConfig",
    "RunnerName",
    "Secret",
    "Strategy",
    "host_arch",
]

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


def host_arch() -> Arch:
    """The architecture of this host's kernel; amd64 when we have no name for it."""
    return _MACHINES.get(os.uname().machine, Arch.AMD64)


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
