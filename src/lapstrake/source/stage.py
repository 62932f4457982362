"""Put fetched sources where a build finds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lapstrake.errors import BundleError, UnpackError
from lapstrake.host.files import copy_atomic
from lapstrake.names import GuestPath
from lapstrake.source.archive_tree import RefusedEntry, safe_parts
from lapstrake.source.job import Fetched
from lapstrake.source.spec import SourceKind, SourceSpec
from lapstrake.source.unpack import UnpackBounds, choose_subdir, unpack

BUILD_FOLDER = "build"
"""The folder of the build root that everything is unpacked to, side by side."""


def stage(
    fetched: Sequence[Fetched],
    buildroot: Path,
    *,
    subdir: str = "",
    bounds: UnpackBounds | None = None,
) -> GuestPath:
    """Put sources into a build root: archives as they are and unpacked, files, checkouts.

    Archives are copied to ``<name>`` (``2.12.bin``) and unpacked to ``build/<path>``; files go to
    ``build/<path>/<name>``, and a checkout becomes the folder ``build/<path>/<name>``. Everything
    is a copy (sharing blocks where the disk can): a build may change what it gets.

    Args:
        fetched: what `fetch_all` gave, in the bundle's order.
        buildroot: the host's path of the build root.
        subdir: the bundle's own choice of the folder to build in, see `choose_subdir`.
        bounds: how much each archive may become.

    Returns:
        the folder to build in, relative to the build root.

    Raises:
        BundleError: a name leads outside, or there is no one folder to build in.
        UnpackError: an archive is damaged or hostile.
        StoreError: the disk is full.
    """
    build = buildroot / BUILD_FOLDER
    build.mkdir(parents=True, exist_ok=True)
    for source in fetched:
        try:
            _place(source, buildroot, build, bounds or UnpackBounds())
        except UnpackError as wrong:
            raise _located(wrong, source.spec) from wrong
    return PurePosixPath(choose_subdir(build, subdir).relative_to(buildroot))


def fetched_names(specs: Sequence[SourceSpec]) -> tuple[str, ...]:
    """The names under which `stage` puts archives and files, for ``LAPSTRAKE_SOURCES``."""
    return tuple(spec.name for spec in specs if not spec.is_checkout)


def _place(source: Fetched, buildroot: Path, build: Path, bounds: UnpackBounds) -> None:
    spec = source.spec
    below = _below(build, spec.path, spec)
    if spec.is_checkout:
        trusted = UnpackBounds(
            size=bounds.size, entries=bounds.entries, ratio=bounds.ratio, outside_links=True
        )
        unpack(source.path, _below(below, spec.name, spec), bounds=trusted, name=spec.name)
    elif spec.kind is SourceKind.FILE:
        copy_atomic(source.path, _below(below, spec.name, spec), durable=False)
    else:
        copy_atomic(source.path, _below(buildroot, spec.name, spec), durable=False)
        unpack(source.path, below, bounds=bounds, name=spec.name)


def _located(wrong: UnpackError, spec: SourceSpec) -> UnpackError:
    """The same error with where the bundle names the archive, and where that came from."""
    where = f"{spec.origin}: " if spec.origin else ""
    return UnpackError(
        f"{where}{wrong.brief}",
        details="\n".join(part for part in (wrong.details, f"from: {spec.url}") if part),
        resolution=wrong.resolution,
    )


def _below(folder: Path, name: str, spec: SourceSpec) -> Path:
    """A path below a folder, its parents made; no link on the way is followed."""
    try:
        parts = safe_parts(name)
    except RefusedEntry as refused:
        raise BundleError(
            f"{spec.origin or spec.url}: {name!r} is no name here: {refused}"
        ) from None
    path = folder
    for part in parts:
        path.mkdir(exist_ok=True)
        path = path / part
        if path.is_symlink():
            raise BundleError(f"{spec.origin or spec.url}: {name!r} leads through a link")
    return path
