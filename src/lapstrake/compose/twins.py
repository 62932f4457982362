"""Files that a package has in common with itself of another architecture.

Packages with ``Multi-Arch: same`` may be there for several architectures at once; dpkg counts who
has such a file, and wants its bytes to be the same in all of them (Debian policy 10.1, dpkg(1)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lapstrake.compose.below import read_text
from lapstrake.compose.content import Content
from lapstrake.compose.doubt import Entry, Kind
from lapstrake.compose.unpack import aliases_of, real_path
from lapstrake.compose.view import View
from lapstrake.layer.store import Layer

_INFO = "var/lib/dpkg/info"


def shared_paths(
    view: View, contents: Sequence[Content], layers: Sequence[Layer]
) -> Mapping[str, frozenset[str]]:
    """Find what foreign packages share with the same packages of the root's own architecture.

    Args:
        view: the branch, which may have the other ones.
        contents: the new packages.
        layers: their layers.

    Returns:
        absolute paths, by the names of the foreign packages as dpkg calls them.
    """
    own = view.place.config.arch.value
    stanzas = [content.stanza for content in contents]
    new = {stanza.qualified: layer for stanza, layer in zip(stanzas, layers, strict=True)}
    found = {}
    for content, stanza in zip(contents, stanzas, strict=True):
        if stanza["multi-arch"] != "same" or stanza["architecture"] in (own, "all"):
            continue
        twin = f"{stanza.name}:{own}"
        there = [new[twin]] if twin in new else view.branch.layers
        aliases = aliases_of(view.branch)
        theirs = _paths(there, twin, aliases)
        ours = _paths([new[stanza.qualified]], stanza.qualified, aliases)
        found[stanza.qualified] = alike(content.paths, ours, theirs)
    return found


def alike(
    entries: Mapping[str, Entry], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> frozenset[str]:
    """Tell which paths two packages have in common.

    Args:
        entries: what one of them unpacks.
        ours: its paths with MD5 sums; empty where dpkg keeps none: of links, and of configuration
            files, which somebody may have changed.
        theirs: those of the other.
    """
    both = {path for path, digest in ours.items() if theirs.get(path) == digest}
    return frozenset(
        path
        for path in both & entries.keys()
        if entries[path].kind is Kind.LINK or (entries[path].kind is Kind.FILE and ours[path])
    )


def _paths(layers: Sequence[Layer], package: str, aliases: Sequence[str]) -> dict[str, str]:
    """A package's paths with their MD5 sums, as dpkg keeps them."""
    listed = read_text(layers, f"{_INFO}/{package}.list").splitlines()
    lines = read_text(layers, f"{_INFO}/{package}.md5sums").splitlines()
    sums = {f"/{line[34:]}": line[:32] for line in lines}
    return {real_path(path, aliases): sums.get(path, "") for path in listed}
