"""The files of a minimal image that speak of packages: rewritten for those that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lapstrake.host.layer_tar import Entry
from lapstrake.image.dpkgdata import (
    age_shadow,
    filter_alternatives,
    filter_diversions,
    filter_file_triggers,
    filter_overrides,
    filter_status,
    filter_triggers,
)
from lapstrake.image.ldcache import filter_cache
from lapstrake.image.remainder_tree import Names, Tree, is_file, read

_DPKG = "var/lib/dpkg/"
_GROUPS, _LINKS = f"{_DPKG}alternatives/", "etc/alternatives/"
_TRIGGERS = f"{_DPKG}triggers/"
_CACHE = "etc/ld.so.cache"
_DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What became of alternatives.

    Attributes:
        texts: the new content of their groups' files, by name.
        links: what links lead to now, by name.
        useless: files of groups of which nothing is left.
    """

    texts: Mapping[str, str]
    links: Mapping[str, str]
    useless: frozenset[str]


def choose_alternatives(chosen: Mapping[str, Entry], names: Names) -> Choices:
    """Leave alternatives out that are not there, and choose others where that was the chosen one.

    Args:
        chosen: what the tree is to have, by name.
        names: all names of the image.
    """
    texts: dict[str, str] = {}
    links: dict[str, str] = {}
    useless: set[str] = set()
    for name, entry in chosen.items():
        if not name.startswith(_GROUPS) or not is_file(entry):
            continue
        group = name.removeprefix(_GROUPS)
        now = names.target(f"{_LINKS}{group}") or ""
        left = filter_alternatives(group, _read(entry), now, names.exists)
        if left is None:
            useless.add(name)
        else:
            texts[name] = left.text
            links |= {f"{_LINKS}{link}": path for link, path in left.links.items()}
    return Choices(texts=texts, links=links, useless=frozenset(useless))


def rewrite(
    tree: Tree,
    chosen: Mapping[str, Entry],
    packages: frozenset[str],
    exists: Callable[[str], bool],
    *,
    time: int,
) -> None:
    """Rewrite what speaks of packages that the image does not have.

    Args:
        tree: has everything that was chosen.
        chosen: what was, by name.
        packages: the image's packages as dpkg calls them.
        exists: whether the image has a path.
        time: the image's, seconds since 1970.
    """
    filters: dict[str, Callable[[str], str]] = {
        f"{_DPKG}status": lambda text: filter_status(text, packages),
        f"{_DPKG}diversions": lambda text: filter_diversions(text, packages),
        f"{_DPKG}statoverride": lambda text: filter_overrides(text, exists),
        f"{_TRIGGERS}File": lambda text: filter_file_triggers(text, packages),
        f"{_TRIGGERS}Unincorp": lambda _: "",
        "etc/shadow": lambda text: age_shadow(text, time // _DAY),
    }
    for name, entry in chosen.items():
        if not is_file(entry):
            continue
        if name in filters:
            tree.write(name, _bytes(filters[name](_read(entry))))
        elif name.startswith(_TRIGGERS):
            text = filter_triggers(_read(entry), packages)
            if text:
                tree.write(name, _bytes(text))
            else:
                tree.remove(name)
    if _CACHE in chosen and is_file(chosen[_CACHE]):
        cache = filter_cache(read(chosen[_CACHE]), exists)
        if cache is None:
            tree.remove(_CACHE)
        else:
            tree.write(_CACHE, cache)


def _read(entry: Entry) -> str:
    return read(entry).decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
