"""Which packages apt counts as asked for, and does not mark as installed automatically.

apt-get(8) ``satisfy`` does so with all that fulfils a relation: each alternative that is installed,
and each package that provides one, if its version and its architecture fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lapstrake.compose.relations import Relation, parse_relations
from lapstrake.compose.status import Stanza
from lapstrake.names import Arch


def asked_for(
    stanzas: Iterable[Stanza], relations: str, *, own: Arch, host: Arch | None
) -> frozenset[tuple[str, str, str]]:
    """Find the packages that fulfil relations themselves.

    Args:
        stanzas: the packages.
        relations: what is wanted, as ``apt-get satisfy`` takes it.
        own: the root's architecture.
        host: what names without an architecture stand for; the root's own when there is none.

    Returns:
        their names, versions and architectures.
    """
    wanted: dict[str, list[Relation]] = {}
    for group in parse_relations(relations):
        for relation in group:
            wanted.setdefault(relation.name, []).append(relation)
    return frozenset(
        (stanza.name, stanza["version"], stanza["architecture"])
        for stanza in stanzas
        for name, version in _names(stanza)
        for relation in wanted.get(name, ())
        if relation.holds_for(version) and _is_of(stanza, relation, own, host or own)
    )


def _names(stanza: Stanza) -> Iterator[tuple[str, str]]:
    """A package's own name and those that it provides, with the versions it has by them."""
    yield stanza.name, stanza["version"]
    for group in parse_relations(stanza["provides"]):
        yield from ((provided.name, provided.version) for provided in group)


def _is_of(stanza: Stanza, relation: Relation, own: Arch, host: Arch) -> bool:
    """Whether a package's architecture is right; what is for all counts as the root's own."""
    kind, arch = stanza["multi-arch"], stanza["architecture"]
    if relation.arch == "any":
        return kind in {"allowed", "foreign"}
    named = {"": host.value, "native": own.value}.get(relation.arch, relation.arch)
    if kind == "foreign" and relation.arch in {"", "native"}:
        return True
    return named == (own.value if arch == "all" else arch)
