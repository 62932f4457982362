"""From what a user types to where a bundle is: a path, ``apt:NAME``, or a name in a tree."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.bundle.base import BundleFormat
from lapstrake.bundle.debian_uris import SourcePackageRequest, is_request, parse_request
from lapstrake.bundle.tree import Tree, UnknownBundle, format_of
from lapstrake.errors import BundleError

# A file that stands for the folder it is in.
_FILES_OF_FORMATS = {"lapstrake.toml": BundleFormat.NATIVE, "spec": BundleFormat.AOSC}
_HOW = "Give a folder, a .dsc file, apt:NAME, or the name of a bundle in a tree."
_SPEC = "An AOSC bundle needs a file spec beside that folder, with VER and its sources."
_FORMATS = "A bundle's folder has lapstrake.toml, spec or debian/control in it."


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleLocation:
    """Where a bundle is.

    Attributes:
        format: what it is written in.
        path: its folder; the file itself for a ``.dsc``. Absolute.
        address: its path below the top of the tree it was found in; empty for a path.
    """

    format: BundleFormat
    path: Path
    address: str = ""


def find(text: str, *, trees: Sequence[Path], cwd: Path) -> BundleLocation | SourcePackageRequest:
    """Find a bundle.

    What exists as a path wins, then the trees are asked in their order. A plain name whose folder
    holds no bundle is also looked for in the trees.

    Args:
        text: what the user typed.
        trees: the tops of the configured trees.
        cwd: what paths are relative to.

    Raises:
        BundleError: there is none (the resolution tells the nearest names), there are several, or
            the folder holds no bundle.
        UsageError: a configured tree is not a folder.
    """
    if is_request(text):
        return parse_request(text)
    if not text.strip():
        raise BundleError("the name of a bundle is empty", resolution=_HOW)
    path = Path(os.path.abspath(cwd / text))  # noqa: PTH100 - without resolving links
    if found := _at(path):
        return found
    if _is_path(text) or path.is_file():
        raise _no_bundle_at(path)
    return _in_trees(text, trees, path)


def _at(path: Path) -> BundleLocation | None:
    """The bundle at a path, if there is one."""
    if path.is_dir():
        found = format_of(path)
        return BundleLocation(format=found, path=path) if found else None
    if not path.is_file():
        return None
    if path.suffix == ".dsc":
        return BundleLocation(format=BundleFormat.DEBIAN, path=path)
    found = _FILES_OF_FORMATS.get(path.name)
    return BundleLocation(format=found, path=path.parent) if found else None


def _is_path(text: str) -> bool:
    """Whether a text cannot be meant as a name."""
    return text.startswith(("/", "./", "../")) or text in (".", "..") or text.endswith(".dsc")


def _no_bundle_at(path: Path) -> BundleError:
    if path.is_dir():
        if any(path.glob("*/defines")):
            return BundleError(
                f"{path} holds no bundle: it has a defines, but no spec", resolution=_SPEC
            )
        return BundleError(f"{path} holds no bundle", resolution=_FORMATS)
    if path.exists():
        return BundleError(f"{path} is not a bundle", resolution=_HOW)
    return BundleError(f"{path} does not exist", resolution=_HOW)


def _in_trees(name: str, trees: Sequence[Path], path: Path) -> BundleLocation:
    misses: list[UnknownBundle] = []
    for top in trees:
        try:
            found = Tree(top).find(name)
        except UnknownBundle as miss:
            misses.append(miss)
            continue
        place = Path(os.path.abspath(found.path))  # noqa: PTH100
        return BundleLocation(format=found.format, path=place, address=found.address)
    if path.is_dir():
        raise _no_bundle_at(path)
    if not misses:
        raise BundleError(
            f"{path} does not exist, and no tree is configured to look for {name!r} in",
            resolution=_HOW,
        )
    raise UnknownBundle(
        f"there is no bundle {name!r}, neither here nor in {', '.join(map(str, trees))}",
        resolution=" ".join(miss.resolution for miss in misses if miss.resolution) or _HOW,
    )
