"""Lists of bundles: a name per line, ``#`` comments; lines ``groups/...`` nest other lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lapstrake.bundle.tree import AmbiguousBundle, Tree, TreeBundle, UnknownBundle
from lapstrake.errors import BundleError

MAX_NESTING = 32
"""How deep groups may stand in one another, as in ciel."""

MAX_SIZE = 1 << 20
"""Bytes of a group file."""

_NESTED = "groups/"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupItem:
    """A line of a group: the name, and where it stands (``groups/core:3``)."""

    name: str
    origin: str


def expand(tree: Tree, names: Sequence[str]) -> tuple[TreeBundle, ...]:
    """Turn names of bundles and of groups (a file's path in the tree) into bundles, each once.

    Raises:
        BundleError: names are unknown or ambiguous (all of them are told), groups hold themselves,
            or stand in one another more than 32 deep.
    """
    items: list[GroupItem] = []
    for name in names:
        if _is_group(tree, name):
            items += _members(_file(tree, name), name, tree, ())
        else:
            items.append(GroupItem(name=name, origin=""))
    return _find_all(tree, items)


def read_group(tree: Tree, path: Path) -> tuple[TreeBundle, ...]:
    """Read a group file that may lie anywhere; what it names is in the tree.

    Raises:
        BundleError: as of `expand`.
    """
    return _find_all(tree, _members(path, path.name, tree, ()))


def _is_group(tree: Tree, name: str) -> bool:
    parts = PurePosixPath(name).parts
    inside = bool(parts) and ".." not in parts and parts[0] != "/"
    return inside and _file(tree, name).is_file()


def _file(tree: Tree, name: str) -> Path:
    return tree.root / PurePosixPath(name)


def _members(path: Path, name: str, tree: Tree, within: tuple[str, ...]) -> Iterator[GroupItem]:
    """Yield a group's names in order, those of nested groups in their place.

    Args:
        path: the file.
        name: what it is called, for messages.
        tree: where nested groups lie.
        within: the groups that this one is nested in, outermost first.
    """
    chain = (*within, name)
    if name in within:
        raise BundleError(f"{name}: the group holds itself: {' > '.join(chain)}")
    if len(chain) > MAX_NESTING:
        raise BundleError(
            f"{name}: groups stand in one another more than {MAX_NESTING} deep",
            details=" > ".join(chain),
        )
    for number, line in enumerate(_lines(path), start=1):
        item = line.partition("#")[0].strip()
        if not item:
            continue
        origin = f"{name}:{number}"
        if not item.startswith(_NESTED):
            yield GroupItem(name=item, origin=origin)
        elif _is_group(tree, item):
            yield from _members(_file(tree, item), str(PurePosixPath(item)), tree, chain)
        else:
            raise BundleError(f"{origin}: there is no group {item!r} in {tree.root}")


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise BundleError(f"{path}: a list of bundles is not larger than {MAX_SIZE} bytes")
        return data.decode("utf-8").splitlines()
    except OSError as problem:
        raise BundleError(f"{path}: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise BundleError(
            f"{path}: this is not UTF-8 text, so it is no list of bundles"
        ) from problem


def _find_all(
    tree: Tree, items: Sequence[GroupItem] | Iterator[GroupItem]
) -> tuple[TreeBundle, ...]:
    """Find every item, and tell all that are wrong at once."""
    found: dict[str, TreeBundle] = {}
    wrong: list[BundleError] = []
    for item in items:
        try:
            bundle = tree.find(item.name)
        except (UnknownBundle, AmbiguousBundle) as problem:
            brief = f"{item.origin}: {problem.brief}" if item.origin else problem.brief
            wrong.append(
                type(problem)(brief, details=problem.details, resolution=problem.resolution)
            )
        else:
            found[bundle.address] = bundle
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise BundleError(
            f"{len(wrong)} names are not bundles of {tree.root}",
            details="\n".join(str(problem) for problem in wrong),
        )
    return tuple(found.values())
