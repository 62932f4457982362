"""Fetching packages: verified, unpacked where nobody looks, and then put in their places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lapstrake.artifact.depot import Depot
from lapstrake.artifact.manifest.base import FILE_NAME
from lapstrake.artifact.manifest.fetched import fetched_folder
from lapstrake.errors import StoreError, UnpackError
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
from lapstrake.place.fetching import fetch_specs
from lapstrake.progress import Progress
from lapstrake.source.spec import SourceSpec
from lapstrake.source.unpack import UnpackBounds, unpack


def fetch_packages(
    missing: Sequence[SourceSpec], *, depot: Depot, progress: Progress, offline: bool
) -> None:
    """Bring packages to where `fetched_folder` says, in parallel.

    Raises:
        FetchError: one could not be fetched.
        ChecksumError: one is not what its checksum says.
        UnpackError: an archive is damaged or hostile.
        StoreError: the disk is full.
    """
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


def _unpack(archive: Path, target: Path, spec: SourceSpec) -> None:
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
