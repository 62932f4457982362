"""The names of a group's members: bundles, and files that list them, which may list other files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lapstrake.bundle.tree import Tree
from lapstrake.bundle.tree_groups import expand
from lapstrake.errors import BundleError

_COMMENT = "#"
_BUNDLES = frozenset({"lapstrake.toml", "spec"})


def expand_items(items: Sequence[str], *, trees: Sequence[Path], cwd: Path) -> tuple[str, ...]:
    """The members' names, each once, in the order they are listed.

    An item that is a file with a list (a name or path on each line, ``#`` comments) stands for what
    is in it; paths in it are relative to the list. What is no file here may be one in a tree
    (``groups/kde``). Everything else is a bundle's name.

    Raises:
        BundleError: a list cannot be read, or holds itself.
    """
    found: dict[str, None] = {}
    for item in items:
        found |= dict.fromkeys(_members(item, cwd, trees, (), named=item))
    return tuple(found)


def _members(
    item: str, folder: Path, trees: Sequence[Path], within: tuple[Path, ...], *, named: str
) -> Iterator[str]:
    """What an item stands for.

    Args:
        item: what is written.
        folder: where it is written: what a path is relative to.
        trees: the configured trees.
        within: the lists it is written in, outermost first.
        named: what to call it if it is a bundle.
    """
    path = folder / item
    if _is_list(path):
        chain = (*within, path.resolve())
        if path.resolve() in within:
            names = " > ".join(each.name for each in chain)
            raise BundleError(f"{path}: the list holds itself: {names}")
        for line in _lines(path):
            beside = path.parent / line
            name = str(beside) if beside.exists() else line
            yield from _members(line, path.parent, trees, chain, named=name)
        return
    for top in trees:
        if not path.exists() and _is_list(top / item):
            yield from (bundle.address for bundle in expand(Tree(top), [item]))
            return
    yield named


def _is_list(path: Path) -> bool:
    """Whether a path is a file, but no bundle's."""
    return path.is_file() and path.name not in _BUNDLES and path.suffix != ".dsc"


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as refused:
        raise BundleError(f"{path}: this is no list of bundles: {refused}") from refused
    texts = (line.partition(_COMMENT)[0].strip() for line in lines)
    return [text for text in texts if text]
