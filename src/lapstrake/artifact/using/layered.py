"""An artifact as a layer: a toolchain over a branch, beside whatever packages are there."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from lapstrake.artifact.identity import Identity
from lapstrake.errors import ArtifactError, StoreError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.host.owned import copy_owned, remove_owned, run_owned
from lapstrake.layer.store import Layer
from lapstrake.names import GuestPath
from lapstrake.place.workplace import Workplace

_FORMAT = 1


def artifact_layer(place: Workplace, identity: Identity, folder: Path, at: GuestPath) -> Layer:
    """Find or make the layer of an artifact that is kept in the cache.

    Its files are not copied, where the disk allows: what the cache keeps never changes.

    Args:
        place: where the store is.
        identity: which artifact.
        folder: the artifact, unpacked.
        at: where a root shall have it.

    Raises:
        ArtifactError: it cannot be read.
        StoreError: the layer cannot be made.
    """
    facts = {"artifact": identity.download_name, "checksum": identity.checksum}
    return _layer(place, folder, at, facts, linked=True)


def folder_layer(place: Workplace, folder: Path, at: GuestPath) -> Layer:
    """The same of a folder that somebody may work on: it is copied as it is now.

    Raises:
        ArtifactError: it cannot be read.
        StoreError: the layer cannot be made.
    """
    return _layer(place, folder, at, {"folder": str(folder)}, linked=False)


def _layer(
    place: Workplace, folder: Path, at: GuestPath, facts: Mapping[str, Canonical], *, linked: bool
) -> Layer:
    inputs = {"format": _FORMAT, "at": str(at), "content": _look(folder), **facts}

    def fill(tree: Path) -> None:
        place.progress.headline(f"layering {folder.name} at {at}")
        target = tree / at.relative_to("/")
        target.parent.mkdir(parents=True)
        if not (linked and _link(folder, target)):
            copy_owned(folder, target)

    return place.store.make(
        cache_key("artifact", inputs),
        kind="artifact",
        facts=inputs,
        fill=fill,
        on_wait=place.progress.headline,
    )


def _link(folder: Path, target: Path) -> bool:
    """Make a tree of hard links; says whether the disk allows it."""
    words: list[str | Path] = ["cp", "-al", "-T", "--", folder, target]
    with suppress(StoreError):
        run_owned(words, doing=f"linking {folder}", error=StoreError)
        return True
    remove_owned(target)
    return False


def _look(folder: Path) -> str:
    """A digest of how all files look: names, modes, sizes and times; their bytes are not read."""
    digest = hashlib.sha256()
    try:
        for name, facts in _entries(os.fspath(folder), ""):
            size = 0 if stat.S_ISDIR(facts.st_mode) else facts.st_size
            line = f"{len(name)}:{name}:{facts.st_mode:o}:{size}:{facts.st_mtime_ns}\n"
            digest.update(os.fsencode(line))
    except OSError as refused:
        raise ArtifactError(f"{refused.filename}: {refused.strerror}") from refused
    return digest.hexdigest()


def _entries(folder: str, below: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder, in the order of names."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = f"{below}{entry.name}"
        yield name, entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, f"{name}/")
