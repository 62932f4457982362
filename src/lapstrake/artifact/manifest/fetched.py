"""Packages that are fetched: each unpacked once, in a folder of its own, and kept."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lapstrake.artifact.depot import Depot
from lapstrake.artifact.manifest.base import FILE_NAME
from lapstrake.errors import StoreError, UnpackError
from lapstrake.formats.keys import cache_key
from lapstrake.host.files import (
    disk_error,
    remove_leftovers,
    remove_tree,
    replace_dir,
    sync_filesystem,
    sync_folder,
    temporary_name,
)
from lapstrake.host.locks import locked
from lapstrake.progress import Progress
from lapstrake.source.spec import SourceSpec

_DIGITS = 12


def same_source(one: Path | SourceSpec, other: Path | SourceSpec) -> bool:
    """Whether two manifests mean the same by what they say of a package."""
    if isinstance(one, Path) or isinstance(other, Path):
        if not (isinstance(one, Path) and isinstance(other, Path)):
            return False
        return one.resolve() == other.resolve()
    return _facts(one) == _facts(other)


def source_text(source: Path | SourceSpec) -> str:
    """Where a package comes from, for people."""
    if isinstance(source, Path):
        return str(source)
    return f"{source.url} ({source.revision[:40] or source.digest})"


def fetched_folder(spec: SourceSpec, depot: Depot) -> Path:
    """Where a fetched package is, or will be.

    It is called after what was asked for: a tag that has moved since is not noticed.
    """
    return depot.packages / f"{spec.name}-{cache_key('package', _facts(spec)).hex[:_DIGITS]}"


def fetch_packages(
    specs: Iterable[SourceSpec], *, depot: Depot, progress: Progress, offline: bool
) -> None:
    """Bring packages to where `fetched_folder` says, in parallel; those that are there stay.

    Raises:
        FetchError: one could not be fetched.
        ChecksumError: one is not what its checksum says.
        UnpackError: an archive is damaged or hostile.
        StoreError: the disk is full.
    """
    missing = [spec for spec in specs if not _is_there(fetched_folder(spec, depot))]
    if not missing:
        return
    from lapstrake.place.fetching import fetch_specs

    fetched = fetch_specs(
        depot.config, missing, folder=depot.packages, offline=offline, progress=progress
    )
    try:
        depot.packages.mkdir(parents=True, exist_ok=True)
        with locked(
            depot.packages / ".lock", what="the fetched packages", on_wait=progress.headline
        ):
            remove_leftovers(depot.packages)
            for source in fetched:
                target = fetched_folder(source.spec, depot)
                if not target.is_dir():
                    _unpack(source.path, target, source.spec)
    except OSError as refused:
        raise disk_error(refused, doing=f"keeping packages in {depot.packages}") from refused


def _is_there(folder: Path) -> bool:
    """Whether a package is there; its folder's time is when it was used last, see `prune`."""
    with suppress(OSError):  # another user's
        os.utime(folder)
    return folder.is_dir()


def _unpack(archive: Path, target: Path, spec: SourceSpec) -> None:
    from lapstrake.source.unpack import UnpackBounds, unpack

    private = temporary_name(target)
    try:
        # Parts of a root filesystem have links to /run and the like; nobody follows them here.
        unpack(archive, private, bounds=UnpackBounds(outside_links=True), name=spec.name)
        sync_filesystem(private)  # one call for all files, however many
        replace_dir(private if spec.is_checkout else _content(private), target, durable=False)
        sync_folder(target.parent)
    except (UnpackError, StoreError) as wrong:
        raise type(wrong)(
            f"{spec.origin}: {wrong.brief}", details=wrong.details, resolution=wrong.resolution
        ) from wrong
    finally:
        remove_tree(private)


def _content(folder: Path) -> Path:
    """The package in what an archive holds: mostly everything is in one folder."""
    entries = list(folder.iterdir())
    alone = len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink()
    return entries[0] if alone and not (folder / FILE_NAME).exists() else folder


def _facts(spec: SourceSpec) -> dict[str, str]:
    return {
        "kind": spec.kind,
        "url": spec.url,
        "revision": spec.revision,
        "digest": str(spec.digest or ""),
        "submodules": spec.submodules,
    }
