"""The layer store: immutable directory trees found by a cache key.

On disk::

    layers/<key>/tree         what is mounted
    layers/<key>/layer.json   what it was made from; its mtime is when it was last used
    leases/<key>              locked, shared, while somebody uses the layer
    locks/<key>               locked while somebody makes the layer
    unfinished/<name>         a layer being made; unfinished/<name>.lock is held by its maker
    workspaces/<name>         the writable top of one build; likewise

A layer appears by one rename, so it is whole or not there. The kernel drops locks when their
holder dies, so leases are never stale, and what a killed run left is told by its free lock.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import LapstrakeError, StepError, StoreError
from lapstrake.formats.keys import Canonical
from lapstrake.host import files, owned
from lapstrake.host.locks import locked
from lapstrake.host.supervise import free_bytes
from lapstrake.names import CacheKey

_HALF_MADE = ("unfinished", "workspaces")
_NO_ROOM = re.compile("No space left on device|Disk quota exceeded|have enough free space")
"""What programs say when the disk is full: strerror(3) in the C locale, and apt."""
_LITTLE = 32 << 20
_SCANT = 1 << 20
"""Bytes: a program that failed with less left on the disk (tar names no reason) failed for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An immutable directory tree.

    Attributes:
        key: hash of what it was made from.
        kind: ``base``, ``instance``, ``package``, ``configured``, ``installed`` ...
        tree: what is mounted.
        size: bytes on disk.
        created: seconds since the epoch.
        used: when it was last used, seconds since the epoch.
        facts: what it was made from, for people and for `lapstrake why`.
    """

    key: CacheKey
    kind: str
    tree: Path
    size: int
    created: float
    used: float
    facts: Mapping[str, Canonical]


@dataclass(frozen=True, slots=True)
class Stack:
    """An ordered tuple of layers, lowest first."""

    layers: tuple[Layer, ...]

    @property
    def trees(self) -> tuple[Path, ...]:
        """The folders to mount, lowest first."""
        return tuple(layer.tree for layer in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the store takes: bytes and number of layers by kind, and of unfinished work."""

    layers: Mapping[str, tuple[int, int]]
    workspaces: int

    @property
    def total(self) -> int:
        """All bytes."""
        return sum(size for size, _ in self.layers.values()) + self.workspaces


class LayerStore:
    """A folder of layers.

    Args:
        root: the folder; made when missing.

    Raises:
        StoreError: it cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            for name in ("layers", "leases", "locks", *_HALF_MADE):
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            raise StoreError(
                f"the layer store {root} cannot be written: {refused.strerror}",
                resolution="Set work_dir to a folder you may write.",
            ) from refused

    def find(self, key: CacheKey) -> Layer | None:
        """Look a layer up."""
        folder = self.root / "layers" / key.hex
        try:
            document = json.loads((folder / "layer.json").read_bytes())
            return Layer(
                key=key,
                kind=document["kind"],
                tree=folder / "tree",
                size=document["size"],
                created=document["created"],
                used=(folder / "layer.json").stat().st_mtime,
                facts=document["facts"],
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as damaged:
            raise StoreError(
                f"{folder}/layer.json is damaged",
                resolution=f"Remove the folder {folder}; the layer will be made again.",
            ) from damaged

    def layers(self) -> Iterator[Layer]:
        """All layers, in no order."""
        for name in os.listdir(self.root / "layers"):  # noqa: PTH208 - thousands, names suffice
            layer = self.find(CacheKey(name))
            if layer is not None:
                yield layer

    def require_unused(self, layer: Layer, *, error: type[LapstrakeError] = StoreError) -> None:
        """Make sure that nobody uses a layer now.

        Raises:
            LapstrakeError: of the class `error`: somebody does; it names the processes.
        """
        with locked(self._lease_file(layer.key), what=_called(layer), timeout=0, error=error):
            pass

    def make(
        self,
        key: CacheKey,
        *,
        kind: str,
        facts: Mapping[str, Canonical],
        fill: Callable[[Path], None],
        on_wait: Callable[[str], None] | None = None,
    ) -> Layer:
        """Find a layer, or make it; whoever else wants the same one waits and shares it.

        Args:
            key: hash of what it is made from.
            kind: what sort of layer.
            facts: what it is made from, kept beside it.
            fill: puts the tree at the path it is given, which does not exist yet.
            on_wait: told when somebody else is making it.
        """
        layer = self.find(key)
        if layer is not None:
            return layer
        lock = self.root / "locks" / key.hex
        with locked(lock, what=f"the {kind} layer {key.short}", on_wait=on_wait):
            layer = self.find(key)
            if layer is not None:
                return layer
            with self._half_made("unfinished", kind) as folder:
                fill(folder / "tree")
                return self._publish(kind, {key: facts}, {key: folder})[key]

    def make_all(
        self,
        wanted: Mapping[CacheKey, Mapping[str, Canonical]],
        *,
        kind: str,
        fill: Callable[[Mapping[CacheKey, Path]], None],
        on_wait: Callable[[str], None] | None = None,
    ) -> dict[CacheKey, Layer]:
        """Find layers, and make those that are missing together: the disk is flushed once.

        Args:
            wanted: the keys, and what each is made from, kept beside it.
            kind: what sort of layers.
            fill: puts trees at the paths it is given for their keys, which do not exist yet.
            on_wait: told when somebody else is making one of them.
        """
        found = {key: layer for key in wanted if (layer := self.find(key))}
        with contextlib.ExitStack() as held:
            for key in sorted(wanted.keys() - found.keys()):  # all makers lock in one order
                lock = self.root / "locks" / key.hex
                what = f"the {kind} layer {key.short}"
                held.enter_context(locked(lock, what=what, on_wait=on_wait))
            found |= {key: layer for key in wanted if (layer := self.find(key))}
            missing = [key for key in wanted if key not in found]
            if missing:
                folder = held.enter_context(self._half_made("unfinished", kind))
                parts = {key: folder / key.hex for key in missing}
                for part in parts.values():
                    part.mkdir()
                fill({key: part / "tree" for key, part in parts.items()})
                facts = {key: wanted[key] for key in missing}
                found |= self._publish(kind, facts, parts)
        return found

    def _publish(
        self,
        kind: str,
        facts: Mapping[CacheKey, Mapping[str, Canonical]],
        parts: Mapping[CacheKey, Path],
    ) -> dict[CacheKey, Layer]:
        """Flush everything, measure it (sizes are settled only then), then rename each once."""
        created = time.time()
        some = next(iter(parts.values()))
        files.sync_filesystem(some)
        sizes = {key: owned.size_owned(part / "tree") for key, part in parts.items()}
        for key, part in parts.items():
            document = {"kind": kind, "created": created, "size": sizes[key], "facts": facts[key]}
            text = json.dumps(document, indent=1, sort_keys=True).encode()
            files.write_atomic(part / "layer.json", text, durable=len(parts) == 1)
        if len(parts) > 1:
            files.sync_filesystem(some)
        published = {}
        for key, part in parts.items():
            target = self.root / "layers" / key.hex
            part.rename(target)
            published[key] = Layer(
                key=key,
                kind=kind,
                tree=target / "tree",
                size=sizes[key],
                created=created,
                used=created,
                facts=facts[key],
            )
        files.sync_folder(self.root / "layers")
        return published

    @contextlib.contextmanager
    def lease(self, layers: Sequence[Layer]) -> Iterator[Stack]:
        """Hold layers, so that nothing collects them, and count them as used now.

        Raises:
            StoreError: one was collected meanwhile; ask for it again.
        """
        with contextlib.ExitStack() as held:
            for layer in layers:
                lease = self._lease_file(layer.key)
                held.enter_context(locked(lease, what=_called(layer), exclusive=False))
                try:
                    os.utime(layer.tree.parent / "layer.json")
                except FileNotFoundError:
                    raise StoreError(
                        f"the layer {layer.key.short} was collected in the meantime",
                        resolution="Run the command again; the layer will be made again.",
                    ) from None
            yield Stack(tuple(layers))

    @contextlib.contextmanager
    def workspace(self, purpose: str) -> Iterator[Path]:
        """An empty folder for the writable top of one build, removed whatever happens."""
        with self._half_made("workspaces", purpose) as folder:
            yield folder

    @contextlib.contextmanager
    def _half_made(self, where: str, purpose: str, *, fresh: bool = True) -> Iterator[Path]:
        """A folder that is ours while its lock is held, removed at the end if it is still there.

        With `fresh` it is made, else only its name is.
        """
        name = f"{purpose}-{os.getpid()}-{os.urandom(4).hex()}"
        folder = self.root / where / name
        lock = folder.with_name(f"{name}.lock")
        try:
            with locked(lock, what=str(folder)):
                try:
                    with self._judging(where, purpose):
                        if fresh:
                            folder.mkdir()
                        yield folder
                finally:
                    owned.remove_owned(folder)
        finally:  # of everything: an interruption may come at any line
            lock.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _judging(self, where: str, purpose: str) -> Iterator[None]:
        """Say that the disk is full where that is why something failed."""
        try:
            yield
        except OSError as failed:
            if failed.errno in files.DISK_FULL:
                raise files.disk_error(failed, doing=f"making {purpose}") from failed
            raise
        except StoreError:
            raise
        except LapstrakeError as failed:
            if self._is_for_lack_of_room(failed, where):
                raise _no_room(failed, self.root) from failed
            raise

    def _is_for_lack_of_room(self, failed: LapstrakeError, where: str) -> bool:
        """A step of a build may say anything, and fill a disk that is not ours: it proves less."""
        room = free_bytes(self.root / where)
        said = _NO_ROOM.search(failed.details) is not None
        if isinstance(failed, StepError):
            return said and room < _LITTLE
        return said or room < _SCANT

    def recover(self) -> int:
        """Remove what killed runs left behind.

        Returns:
            how many unfinished layers and workspaces were removed.
        """
        removed = 0
        for where in _HALF_MADE:
            folder = self.root / where
            names = {entry.name.removesuffix(".lock") for entry in folder.iterdir()}
            removed += sum(_remove_if_left(folder / name) for name in names)
        return removed

    def usage(self) -> Usage:
        """What the store takes on disk."""
        kinds: dict[str, tuple[int, int]] = {}
        for layer in self.layers():
            size, count = kinds.get(layer.kind, (0, 0))
            kinds[layer.kind] = (size + layer.size, count + 1)
        workspaces = sum(owned.size_owned(self.root / name) for name in _HALF_MADE)
        return Usage(layers=kinds, workspaces=workspaces)

    def collect(
        self, *, budget: int, keep: frozenset[CacheKey], idle: float = 0.0, dry_run: bool = False
    ) -> tuple[Layer, ...]:
        """Remove the layers used longest ago until the rest fits a budget.

        Args:
            budget: bytes.
            keep: layers that branches are made of.
            idle: seconds that a layer must have been unused; somebody may be about to use it.
            dry_run: only tell which layers would go.

        Returns:
            the layers removed; those in use, or in `keep`, never are.
        """
        layers = sorted(self.layers(), key=lambda layer: layer.used)
        total = sum(layer.size for layer in layers)
        latest = time.time() - idle if idle else math.inf
        removed = []
        for layer in layers:
            if total <= budget:
                break
            if layer.key in keep or layer.used > latest:
                continue
            if self._is_unused(layer) if dry_run else self.remove(layer):
                removed.append(layer)
                total -= layer.size
        return tuple(removed)

    def remove(self, layer: Layer) -> bool:
        """Remove a layer unless somebody uses it; says whether it is gone.

        It is gone in one step; a run that is killed then leaves the rest to `recover`.
        """
        lease = self._lease_file(layer.key)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(lease, what=_called(layer), timeout=0))
            except StoreError:
                return False
            grave = held.enter_context(
                self._half_made("unfinished", f"removed-{layer.key.short}", fresh=False)
            )
            with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
                layer.tree.parent.rename(grave)
            lease.unlink()
        return True

    def _is_unused(self, layer: Layer) -> bool:
        try:
            self.require_unused(layer)
        except StoreError:
            return False
        return True

    def _lease_file(self, key: CacheKey) -> Path:
        return self.root / "leases" / key.hex


def _no_room(failed: LapstrakeError, root: Path) -> StoreError:
    """A program inside met the full disk; whatever it was about, that is what to mend."""
    return StoreError(
        f"the disk of {root} is full: {failed.brief}",
        details=failed.details,
        resolution="Free some space, or run `lapstrake store gc`.",
    )


def _called(layer: Layer) -> str:
    return f"the {layer.kind} layer {layer.key.short}"


def _remove_if_left(folder: Path) -> bool:
    """Remove a half-made folder whose maker is dead."""
    lock = folder.with_name(f"{folder.name}.lock")
    try:
        with locked(lock, what=str(folder), timeout=0):
            owned.remove_owned(folder)
            lock.unlink(missing_ok=True)
    except (StoreError, OSError):  # what nobody can remove must not stop every later command
        return False
    return True
