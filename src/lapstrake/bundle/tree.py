"""A tree of bundles: folders such as ``CATEGORY/NAME``, found by name, and lists of them.

Only what is needed to find a bundle is read here; what is in it is read by its format's reader.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from lapstrake.bundle.base import BundleFormat
from lapstrake.errors import BundleError, UsageError

MAX_DEPTH = 3
"""How many folders below the tree's top a bundle may lie."""

_MARKS = frozenset({"lapstrake.toml", "spec", "debian"})
_PACKAGE_NAME = re.compile(r"""^[ \t]*PKGNAME=["']?([^"'\s#;]*)""", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeBundle:
    """A bundle's place in a tree.

    Attributes:
        address: its path below the tree's top: ``app-utils/hello``.
        path: its folder.
        format: what it is written in.
    """

    address: str
    path: Path
    format: BundleFormat


class UnknownBundle(BundleError):  # noqa: N818 - says what is missing
    """No bundle of a tree has this name; the resolution tells the nearest ones."""


class AmbiguousBundle(BundleError):  # noqa: N818 - says what is wrong with the name
    """More than one bundle of a tree has this name; the details list them."""


def format_of(folder: Path) -> BundleFormat | None:
    """Tell which format the bundle in a folder has; ``None`` when it holds no bundle.

    A ``lapstrake.toml`` wins over a ``spec``, and that over ``debian/control``.
    """
    if _has(folder, "lapstrake.toml"):
        return BundleFormat.NATIVE
    if _has(folder, "spec"):
        return BundleFormat.AOSC
    if _has(folder, "debian/control"):
        return BundleFormat.DEBIAN
    return None


class Tree:
    """A folder of bundles; it is looked through when a name first asks for it.

    Args:
        root: the tree's top.

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UsageError(f"{root} is not a folder with bundles")
        self.root = root

    @cached_property
    def bundles(self) -> tuple[TreeBundle, ...]:
        """All bundles, sorted by address. Links are not followed."""
        return tuple(sorted(_scan(str(self.root), ""), key=lambda found: found.address))

    def find(self, name: str) -> TreeBundle:
        """Find a bundle by its address, its folder's name, or the name of one of its packages.

        Raises:
            UnknownBundle: there is none.
            AmbiguousBundle: there are several.
        """
        literal = self._at(name)
        if literal is not None:
            return literal
        plain = "/" not in name and not name.startswith(".")
        named = sorted(_named(str(self.root), "", name)) if plain else []
        found = [bundle for bundle in map(self._at, named) if bundle is not None]
        return self._only(name, found or self._making(name))

    def _at(self, address: str) -> TreeBundle | None:
        """The bundle at an address, without looking at the rest of the tree."""
        parts = PurePosixPath(address).parts
        if not 0 < len(parts) <= MAX_DEPTH or ".." in parts or parts[0] == "/":
            return None
        path = self.root.joinpath(*parts)
        found = format_of(path)
        if found is None:
            return None
        return TreeBundle(address="/".join(parts), path=path, format=found)

    def _making(self, package: str) -> list[TreeBundle]:
        """The AOSC bundles that make a package of this name."""
        return [
            bundle
            for bundle in self.bundles
            if bundle.format is BundleFormat.AOSC and package in _package_names(bundle.path)
        ]

    def _only(self, name: str, found: list[TreeBundle]) -> TreeBundle:
        if len(found) == 1:
            return found[0]
        if found:
            raise AmbiguousBundle(
                f"{name!r} names {len(found)} bundles in {self.root}",
                details="\n".join(bundle.address for bundle in found),
                resolution="Say which one, with its folder.",
            )
        near = self._near(name)
        raise UnknownBundle(
            f"there is no bundle {name!r} in {self.root}",
            resolution=f"Is one of these meant: {', '.join(near)}?" if near else "",
        )

    def _near(self, name: str) -> list[str]:
        from difflib import get_close_matches  # only needed when something is wrong

        wanted = name.rpartition("/")[2]
        addresses: dict[str, list[str]] = {}
        for bundle in self.bundles:
            addresses.setdefault(bundle.path.name, []).append(bundle.address)
        close = get_close_matches(wanted, addresses, n=4, cutoff=0.7)
        return [address for match in close for address in addresses[match]][:6]


def _scan(folder: str, below: str) -> Iterator[TreeBundle]:
    """Yield the bundles in a folder; what bundles hold is not looked through."""
    for name in _folders(folder):
        address, path = f"{below}{name}", f"{folder}/{name}"
        found = None if _MARKS.isdisjoint(_listed(path)) else format_of(Path(path))
        if found is not None:
            yield TreeBundle(address=address, path=Path(path), format=found)
        elif address.count("/") + 1 < MAX_DEPTH:
            yield from _scan(path, f"{address}/")


def _named(folder: str, below: str, name: str) -> Iterator[str]:
    """Yield the addresses of bundles of a name, ten times faster than looking at all bundles."""
    path = f"{folder}/{name}"
    if os.path.lexists(path) and not Path(path).is_symlink() and format_of(Path(path)):
        if below and format_of(Path(folder)):
            return
        yield f"{below}{name}"
    if below.count("/") + 1 < MAX_DEPTH:
        for inner in _folders(folder):
            yield from _named(f"{folder}/{inner}", f"{below}{inner}/", name)


def _folders(folder: str) -> list[str]:
    """List the folders in a folder, but for hidden ones and links."""
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except OSError as problem:
        raise _unreadable(problem) from problem


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are enough, and there are thousands
    except OSError as problem:
        raise _unreadable(problem) from problem


def _has(folder: Path, name: str) -> bool:
    """Whether a file is there; one that only a link to a forbidden place promises is not."""
    return os.path.isfile(folder / name)  # noqa: PTH113 - Path's raises for what is forbidden


def _unreadable(problem: OSError) -> BundleError:
    return BundleError(f"{problem.filename}: {problem.strerror}")


def _package_names(bundle: Path) -> Iterable[str]:
    """The plain PKGNAMEs of an AOSC bundle, read without evaluating its files."""
    for defines in sorted(bundle.glob("*/defines")):
        try:
            text = defines.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # its reader says what is wrong with it when it is built
        yield from _PACKAGE_NAME.findall(text)
