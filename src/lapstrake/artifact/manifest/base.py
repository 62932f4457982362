"""What one ``lapstrake.toml`` says, as values; nothing around it was looked at yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lapstrake.artifact.base import Dependency, Firmware, Package
from lapstrake.source.spec import SourceSpec

FILE_NAME = "lapstrake.toml"
"""The file that describes a package, a project, or a bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What the topmost manifest decides about a package.

    Attributes:
        name: the package.
        source: where it is taken from instead, or ``None``.
        folder: of a fetched source, the package's folder in it.
        build: whether it may be built here, or ``None`` for what its dependents say.
        ssh: what it may log in with though it was fetched; empty for nothing.
    """

    name: str
    source: Path | SourceSpec | None = None
    folder: str = ""
    build: bool | None = None
    ssh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One ``lapstrake.toml``: a package, or an application that has no artifact of its own.

    Attributes:
        name: of the package or application.
        version: likewise; empty when `version_file` says it.
        target: the tuple of the machine it is for, or empty.
        folder: where it is.
        file: the file.
        package: the package; ``None`` for an application.
        version_file: the file that holds the version, relative to the folder, or empty.
        env: an application's variables; a package's are in the package.
        dependencies: what it needs.
        overrides: what it decides when it is the topmost.
        firmware: how an application is packed.
    """

    name: str
    version: str
    folder: Path
    file: Path
    target: str = ""
    package: Package | None = None
    version_file: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    overrides: tuple[Override, ...] = ()
    firmware: Firmware = field(default_factory=Firmware)
