"""Packages that are fetched: each has a folder of its own, where it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lapstrake.artifact.depot import Depot
from lapstrake.formats.keys import cache_key
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


def missing_packages(specs: Iterable[SourceSpec], depot: Depot) -> list[SourceSpec]:
    """Those that are not where `fetched_folder` says; the others count as used now."""
    return [spec for spec in specs if not _is_there(fetched_folder(spec, depot))]


def _is_there(folder: Path) -> bool:
    """Whether a package is there; its folder's time is when it was used last, see `prune`."""
    with suppress(OSError):  # another user's
        os.utime(folder)
    return folder.is_dir()


def _facts(spec: SourceSpec) -> dict[str, str]:
    return {
        "kind": spec.kind,
        "url": spec.url,
        "revision": spec.revision,
        "digest": str(spec.digest or ""),
        "submodules": spec.submodules,
    }
