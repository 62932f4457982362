"""The build directory of a root, kept between builds as one immutable layer.

After each use, what a workspace wrote and the layer below become one new layer: what did not change
gets a second name, nothing is copied. The old layer stays until the new one is whole, and the
file ``root.json`` in the artifact's folder says which one it is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from lapstrake.artifact.builders.base import WORK, Job
from lapstrake.errors import BuildError, LapstrakeError
from lapstrake.formats.keys import cache_key
from lapstrake.host import files, owned
from lapstrake.layer.store import Layer, LayerStore
from lapstrake.names import CacheKey

_FILE = "root.json"
_LONGEST_FILE = 4096  # bytes
KIND = "artifact-build"


class KeptBuild:
    """The build directory of one artifact; its lock is the caller's.

    Args:
        store: where its layer is.
        job: whose it is.
    """

    def __init__(self, store: LayerStore, job: Job) -> None:
        self._store = store
        self._job = job
        self._file = job.folder / _FILE
        self._replaced: Layer | None = None
        self.layer = self._find()

    @property
    def work(self) -> Path | None:
        """The build directory as the host sees it, read-only; ``None`` if nothing was built."""
        return self.layer.tree / WORK.relative_to("/") if self.layer else None

    def keep(self, changes: Path) -> None:
        """Make the layer anew of what a workspace became.

        Args:
            changes: what `Session.capture` gave; it is used up.

        Raises:
            BuildError: the build put something else in the place of its directory.
            StoreError: the disk is full.
        """
        if not os.path.lexists(changes / WORK.parts[1]):
            return  # it only looked
        old = self.layer
        lower = old.tree if old else ""
        layer = self._store.make(
            cache_key(KIND, {"artifact": self._job.identity.name, "once": os.urandom(16).hex()}),
            kind=KIND,
            facts={"artifact": self._job.identity.name, "folder": str(self._job.folder)},
            fill=lambda tree: _fold(lower, changes, tree),
        )
        self._file.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(self._file, json.dumps({"layer": layer.key.hex}).encode())
        self.layer, self._replaced = layer, old

    def forget_replaced(self) -> None:
        """Remove the layer that is not used any more, unless somebody is looking at it."""
        if self._replaced is not None:
            self._store.remove(self._replaced)

    def remove(self) -> None:
        """Remove the layer, if there is one."""
        self._file.unlink(missing_ok=True)
        if self.layer is not None:
            self._store.remove(self.layer)

    def _find(self) -> Layer | None:
        """The layer; one that was collected for want of room, or is another store's, is none.

        The file is in the package, which may have brought it: no other layer may be meant.
        """
        try:
            data = files.read_regular(self._file, limit=_LONGEST_FILE)
            layer = self._store.find(CacheKey(json.loads(data)["layer"]))
        except (OSError, ValueError, KeyError, TypeError, LapstrakeError):
            return None
        if layer is None or layer.kind != KIND:
            return None
        return layer if layer.facts["artifact"] == self._job.identity.name else None


def _fold(lower: Path | str, changes: Path, tree: Path) -> None:
    owned.run_module(
        "lapstrake.host.fold",
        str(WORK.relative_to("/")), lower, changes, tree,
        doing="keeping the build directory", error=BuildError,
    )  # fmt: skip
