"""Where artifacts are on this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lapstrake.artifact.base import Origin, Package
from lapstrake.artifact.identity import Identity
from lapstrake.config.model import Config

_DIGITS = 8
IN_PACKAGE = Path(".nerves", "artifacts")
"""Where a package's build folders are, if somebody works on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depot:
    """The folders that all commands about artifacts share.

    Attributes:
        config: the configuration.
        environment: our own environment, as it was at the start.
    """

    config: Config
    environment: Mapping[str, str]

    @property
    def artifacts(self) -> Path:
        """Artifacts, unpacked; absolute."""
        folder = self.config.artifacts.folder or self.config.work_dir / "artifacts"
        return folder.absolute()

    @property
    def downloads(self) -> Path:
        """Archives by their names, and the platforms' own downloads; absolute."""
        return self.config.cache.download_dir.absolute()

    @property
    def packages(self) -> Path:
        """Packages that were fetched, unpacked."""
        return self.config.work_dir / "packages"

    @property
    def builds(self) -> Path:
        """Where packages are built that were fetched, or may not be written to."""
        return self.config.work_dir / "artifact-builds"

    def build_folder(self, package: Package, identity: Identity) -> Path:
        """``ARTIFACT_DIR``: where a package is built; in the package, if somebody works on it.

        Elsewhere it is named by where the package is, too: another one of its name and version,
        from elsewhere, must not find what this one's build left.
        """
        if package.origin is not Origin.FETCHED and os.access(package.folder, os.W_OK):
            return package.folder / IN_PACKAGE / identity.name
        place = hashlib.sha256(os.fsencode(package.folder)).hexdigest()
        return self.builds / f"{identity.name}-{place[:_DIGITS]}"
