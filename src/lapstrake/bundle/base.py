"""A bundle as a value: what a build needs to know, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lapstrake.source.spec import SourceSpec


class BundleFormat(StrEnum):
    """The three formats."""

    AOSC = "aosc"
    DEBIAN = "debian"
    NATIVE = "native"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a bundle asks for beyond the default sandbox.

    Attributes:
        network: whether its steps may reach the network.
        secrets: names of the secrets its steps may read (files under ``/run/secrets``).
        memory: bytes, or ``None``; the configuration's limit holds when it is lower.
        disk: bytes, or ``None``.
        seconds: wall-clock time, or ``None``.
    """

    network: bool = False
    secrets: tuple[str, ...] = ()
    memory: int | None = None
    disk: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDependencies:
    """What must be installed before a build, in the fields of Debian's source control files.

    Attributes:
        depends: relations as in ``Build-Depends``, such as ``cmake (>= 3.13)`` or ``a | b``.
        conflicts: relations as in ``Build-Conflicts``.
        essential: whether the C and C++ build tools (``build-essential``) come with them.
    """

    depends: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    essential: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One package's build, read and checked, for one architecture.

    Attributes:
        name: the bundle's name (the source package's, or the folder's).
        version: the full version as messages show it, with epoch and revision.
        upstream_version: what names the first source in the workspace: ``<upstream_version>.bin``.
        format: which of the formats.
        path: the bundle's folder on the host (for a ``.dsc``, the file).
        sources: what to fetch, in order.
        subdir: the folder of the unpacked sources to build in: empty means the only one.
        build_depends: what to install first.
        provides: names of the binary packages it makes (as far as they are known beforehand).
        runtime_depends: names of the packages those need, for ordering groups.
        driver: the toolbox's script that builds it inside the root.
        environment: variables for the driver.
        files: what the driver reads besides the bundle's folder, by path below ``plan/`` of the
            buildroot (a native bundle's steps and control files).
        user: the numeric user of the root that the driver runs as.
        needs: what it asks for beyond the default sandbox.
        makes_packages: False when it says itself that it makes none.
        warnings: oddities worth telling (misspelt variable names ...).
    """

    name: str
    version: str
    upstream_version: str
    format: BundleFormat
    path: Path
    sources: tuple[SourceSpec, ...] = ()
    subdir: str = ""
    build_depends: BuildDependencies = field(default_factory=BuildDependencies)
    provides: tuple[str, ...] = ()
    runtime_depends: tuple[str, ...] = ()
    driver: str = "aosc.sh"
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    user: int = 0
    needs: Needs = field(default_factory=Needs)
    makes_packages: bool = True
    warnings: tuple[str, ...] = ()
