"""AOSC's dependencies as relations of Debian's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lapstrake.errors import BundleError

_ITEM = re.compile(r"([a-z0-9][a-z0-9.+-]*)_?(?:(<=|>=|==|<<|>>)([A-Za-z0-9.+~:-]+))?\Z")


def relations(
    items: Sequence[str], names: Mapping[str, str | None], *, origin: str
) -> tuple[str, ...]:
    """Translate dependencies: ``name>=1`` becomes ``name (>= 1)``.

    Items that begin with ``@`` are directives to the packer, not packages, and are dropped; so are
    names that the map gives nothing for. A trailing ``_`` only tells the packer to add no version.

    Args:
        items: the words of BUILDDEP, PKGDEP ...
        names: what a package is called in the root. The other name may be a whole relation
            (``libfoo-dev (>= 2) | libbar-dev``) or several with commas; the version asked for is
            kept only with a plain name.
        origin: where they stand, for messages.

    Raises:
        BundleError: an item is no dependency.
    """
    found: dict[str, None] = {}
    for item in items:
        if item.startswith("@"):
            continue
        name, constraint = _parse(item, origin)
        translated = names.get(name, name)
        for relation in (translated or "").split(","):
            plain = relation.strip()
            if plain:
                keep = constraint and re.fullmatch(r"[a-z0-9.+-]+", plain)
                found[f"{plain} ({constraint})" if keep else plain] = None
    return tuple(found)


def names_in(
    items: Sequence[str], names: Mapping[str, str | None], *, origin: str
) -> tuple[str, ...]:
    """The packages that dependencies name, without versions, under their names in the root.

    Args: as of `relations`.

    Raises:
        BundleError: an item is no dependency.
    """
    found: dict[str, None] = {}
    for relation in relations(items, names, origin=origin):
        for alternative in relation.split("|"):
            found[alternative.split("(")[0].strip()] = None
    return tuple(found)


def _parse(item: str, origin: str) -> tuple[str, str]:
    """Split an item into the name and ``OPERATOR VERSION``, which may be empty."""
    match = _ITEM.match(item)
    if match is None:
        raise BundleError(
            f"{origin}: {item!r} is not a dependency",
            resolution="Write NAME, NAME_ or NAME>=VERSION (also <=, ==, <<, >>), without blanks.",
        )
    name, operator, version = match.groups()
    return name, f"{operator.replace('==', '=')} {version}" if operator else ""
