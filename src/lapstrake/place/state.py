"""What is remembered of the base OS and the branches: small JSON files, replaced atomically."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lapstrake.errors import StoreError
from lapstrake.host import files
from lapstrake.names import BranchName, CacheKey

HISTORY = 10
"""How many former instances of a branch can be rolled back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseState:
    """The base OS.

    Attributes:
        key: its layer.
        origin: where it came from, for people.
        loaded: seconds since the epoch.
        arch: the architecture it was loaded for.
    """

    key: CacheKey
    origin: str
    loaded: float
    arch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What a branch was made of at one time.

    Attributes:
        base: the base OS' layer.
        layer: the branch's own layer, above the base.
        list_digest: SHA-256 of the source list in force.
        releases: URL of each release file → SHA-256 of what was there.
        headers: URL → what the server said of its age (``ETag``, ``Last-Modified``).
        commits: marks of the changes committed by hand, oldest first.
        reason: why it was made.
        made: seconds since the epoch.
    """

    base: CacheKey
    layer: CacheKey
    list_digest: str
    releases: Mapping[str, str]
    headers: Mapping[str, Mapping[str, str]]
    commits: tuple[str, ...] = ()
    reason: str = ""
    made: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchState:
    """A branch: its instances, newest first, and when upstream was last looked at."""

    instances: tuple[Instance, ...] = ()
    checked: float = 0.0

    @property
    def current(self) -> Instance | None:
        """The instance in force."""
        return self.instances[0] if self.instances else None

    def with_instance(self, instance: Instance) -> BranchState:
        """The state after a new instance was made."""
        return replace(self, instances=(instance, *self.instances)[:HISTORY], checked=time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is remembered of a branch's draft, see `lapstrake.branch.draft`.

    Attributes:
        origin: the instance it was begun on.
        mark: what stands for it among an instance's commits.
        begun: seconds since the epoch.
    """

    origin: Instance
    mark: str
    begun: float


class StateFiles:
    """The folder that holds them.

    Args:
        folder: ``work_dir/.builder``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def base(self) -> BaseState | None:
        """The base OS, if one is loaded."""
        file = self.folder / "base.json"
        document = _read(file)
        if document is None:
            return None
        with _complete(file):
            return BaseState(
                key=CacheKey(document["key"]),
                origin=document["origin"],
                loaded=document["loaded"],
                arch=document["arch"],
            )

    def set_base(self, state: BaseState | None) -> None:
        """Remember a new base OS, or that there is none."""
        document = asdict(state) | {"key": state.key.hex} if state else None
        _write(self.folder / "base.json", document)

    def branch(self, name: BranchName) -> BranchState:
        """A branch's state; empty when it was never used."""
        document = _read(self._file(name)) or {"instances": [], "checked": 0.0}
        with _complete(self._file(name)):
            instances = tuple(_instance(row) for row in document["instances"])
            return BranchState(instances=instances, checked=document["checked"])

    def set_branch(self, name: BranchName, state: BranchState | None) -> None:
        """Remember a branch's state, or forget the branch."""
        if state is None:
            _write(self._file(name), None)
            return
        rows = [_row(instance) for instance in state.instances]
        _write(self._file(name), {"instances": rows, "checked": state.checked})

    def branches(self) -> tuple[BranchName, ...]:
        """The branches that have a state."""
        finished = (self.folder / "branches").glob("[!.]*.json")  # others are being written
        return tuple(sorted(BranchName(file.stem) for file in finished))

    def layers(self) -> frozenset[CacheKey]:
        """All layers that something remembered is made of, which no collection may take."""
        base = self.base()
        keys = {base.key} if base else set()
        for name in self.branches():
            for instance in self.branch(name).instances:
                keys |= {instance.base, instance.layer}
        for file in (self.folder / "drafts").glob("*/draft.json"):
            draft = read_draft(file)
            keys |= {draft.origin.base} if draft else set()
        for folder in (self.folder / "arch").glob("*"):
            keys |= StateFiles(folder).layers()
        return frozenset(keys)

    def _file(self, name: BranchName) -> Path:
        return self.folder / "branches" / f"{name}.json"


def read_draft(file: Path) -> Draft | None:
    """Read a draft's record; ``None`` when there is none."""
    document = _read(file)
    if document is None:
        return None
    origin = _instance(document["origin"])
    return Draft(origin=origin, mark=document["mark"], begun=document["begun"])


def draft_document(draft: Draft) -> dict[str, Any]:
    """A draft's record as JSON can hold it."""
    return asdict(draft) | {"origin": _row(draft.origin)}


def _instance(row: Mapping[str, Any]) -> Instance:
    return Instance(
        **{
            **row,
            "base": CacheKey(row["base"]),
            "layer": CacheKey(row["layer"]),
            "commits": tuple(row["commits"]),
        }
    )


def _row(instance: Instance) -> dict[str, Any]:
    return asdict(instance) | {"base": instance.base.hex, "layer": instance.layer.hex}


@contextmanager
def _complete(file: Path) -> Iterator[None]:
    """Say so when a file lacks something: it was written by another version, or by hand."""
    try:
        yield
    except (KeyError, TypeError) as lacking:
        raise _damaged(file, f"it lacks {lacking}") from lacking


def _damaged(file: Path, why: str) -> StoreError:
    return StoreError(
        f"{file} is damaged: {why}",
        resolution="Remove the file; what it describes will be made again.",
    )


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as damaged:
        raise _damaged(file, str(damaged)) from damaged
    return document


def _write(file: Path, document: Mapping[str, Any] | None) -> None:
    if document is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(file, json.dumps(document, indent=1, sort_keys=True).encode() + b"\n")
