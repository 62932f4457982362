"""The packages of one root with all that is known of them, and whether their order matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lapstrake.compose.archive import layers_of
from lapstrake.compose.content import Content, read_contents
from lapstrake.compose.doubt import Unpacked, share_folders_alike
from lapstrake.compose.preinst import is_inert
from lapstrake.compose.relations import named_in
from lapstrake.compose.resolution import Item
from lapstrake.compose.twins import shared_paths
from lapstrake.compose.view import View
from lapstrake.layer.store import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Packages, in the order in which they count as unpacked.

    Attributes:
        items: what apt says of them.
        layers: their layers.
        contents: what they bring.
        unpacked: the same, as it is judged.
        early: names of those that are configured before the others, call by call.
    """

    items: tuple[Item, ...]
    layers: tuple[Layer, ...]
    contents: tuple[Content, ...]
    unpacked: tuple[Unpacked, ...]
    early: tuple[tuple[str, ...], ...] = ()

    @property
    def active(self) -> tuple[bool, ...]:
        """Which have a script that does something before they are unpacked."""
        return tuple(not is_inert(package.preinst) for package in self.unpacked)


def gather(view: View, items: Sequence[Item], early: Sequence[tuple[str, ...]] = ()) -> Parts:
    """Find or make the layers of packages, and read what is known of them.

    Raises:
        DependencyError: a package cannot be fetched or unpacked.
    """
    layers = layers_of(view, items)
    contents = read_contents(layers)
    arch = view.place.config.arch.value
    shared = shared_paths(view, contents, layers)
    return Parts(
        items=tuple(items),
        layers=layers,
        contents=contents,
        unpacked=tuple(content.unpacked(arch, shared) for content in contents),
        early=tuple(early),
    )


def active_last(parts: Parts) -> Parts:
    """The same packages, those with scripts at the end: these then may rely on none of the rest."""
    places = sorted(range(len(parts.items)), key=parts.active.__getitem__)
    return Parts(
        items=tuple(parts.items[place] for place in places),
        layers=tuple(parts.layers[place] for place in places),
        contents=tuple(parts.contents[place] for place in places),
        unpacked=tuple(parts.unpacked[place] for place in places),
    )


def order_matters(parts: Parts) -> bool:
    """Whether it counts which package comes first (but for what preinst scripts write).

    What is pre-depended on is configured first, which only numbers of new users and groups tell.
    """
    if not share_folders_alike(parts.unpacked):
        return True
    if not any(content.makes_users for content in parts.contents):
        return False
    stanzas = [content.stanza for content in parts.contents]
    new = {name for each in stanzas for name in (each.name, *named_in(each["provides"]))}
    return any(named_in(each["pre-depends"]) & new for each in stanzas)
