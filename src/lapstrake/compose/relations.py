"""Which installed packages satisfy a package's dependencies (Debian policy 7.1 and 7.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lapstrake.compose.status import Stanza
from lapstrake.formats.debversion import compare_versions

_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))?"
    r"\s*(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^)\s]+)\s*\))?"
)
_HOLDS = {
    "<<": lambda order: order < 0,
    "<": lambda order: order <= 0,  # as dpkg reads the obsolete forms
    "<=": lambda order: order <= 0,
    "=": lambda order: order == 0,
    ">=": lambda order: order >= 0,
    ">": lambda order: order >= 0,
    ">>": lambda order: order > 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One alternative: a name, and what the version must be.

    Attributes:
        name: of a package, or what packages provide.
        operator: how the version compares; empty when any will do.
        version: the version.
        arch: ``native``, ``any`` or an architecture, where the name says so.
    """

    name: str
    operator: str = ""
    version: str = ""
    arch: str = ""

    def holds_for(self, version: str) -> bool:
        """Whether a package of this version satisfies it; an unknown version does not."""
        if not self.operator or version == self.version:
            return not self.operator or "=" in self.operator or self.operator in "<>"
        return bool(version) and _HOLDS[self.operator](compare_versions(version, self.version))


def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """Read a field like ``Depends``: all of the groups are wanted, one alternative of each.

    >>> [[one.name for one in group] for group in parse_relations("a (>= 1), b | c:any")]
    [['a'], ['b', 'c']]
    """
    groups = []
    for part in text.split(","):
        found = [_RELATION.match(alternative.strip()) for alternative in part.split("|")]
        group = tuple(
            Relation(
                name=match["name"],
                operator=match["operator"] or "",
                version=match["version"] or "",
                arch=match["arch"] or "",
            )
            for match in found
            if match
        )
        if group:
            groups.append(group)
    return tuple(groups)


def named_in(text: str) -> frozenset[str]:
    """All package names of a field, whatever they stand for."""
    return frozenset(relation.name for group in parse_relations(text) for relation in group)


class Installed:
    """The installed packages of a root, and who stands for which name.

    Args:
        stanzas: the root's list; what is not installed is left out.
        arch: the root's own architecture, preferred where a name has several.
    """

    def __init__(self, stanzas: Iterable[Stanza], arch: str) -> None:
        self.by_name: dict[str, Stanza] = {}
        self._providers: dict[str, list[tuple[str, str]]] = {}
        for stanza in stanzas:
            if stanza.state not in {"installed", "triggers-pending", "triggers-awaited"}:
                continue
            if stanza.name not in self.by_name or stanza["architecture"] in {arch, "all"}:
                self.by_name[stanza.name] = stanza
            for group in parse_relations(stanza["provides"]):
                for relation in group:
                    provider = (stanza.name, relation.version)
                    self._providers.setdefault(relation.name, []).append(provider)

    def who(self, relation: Relation) -> str | None:
        """The package that satisfies a relation: itself, else the first that provides it."""
        real = self.by_name.get(relation.name)
        if real is not None and relation.holds_for(real["version"]):
            return real.name
        provided = self._providers.get(relation.name, [])
        fitting = sorted(name for name, version in provided if relation.holds_for(version))
        return fitting[0] if fitting else None

    def needs(self, stanza: Stanza) -> tuple[str, ...]:
        """The packages that satisfy a package's ``Depends`` and ``Pre-Depends``, sorted."""
        groups = [
            group for name in ("pre-depends", "depends") for group in parse_relations(stanza[name])
        ]
        chosen = (self._first(group) for group in groups)
        return tuple(sorted({name for name in chosen if name and name != stanza.name}))

    def _first(self, group: Sequence[Relation]) -> str | None:
        return next((name for relation in group if (name := self.who(relation))), None)


def reachable(starts: Iterable[str], needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """All names that can be reached, the starts among them, sorted."""
    seen = set(starts)
    pending = list(seen)
    while pending:
        for name in needs[pending.pop()]:
            if name not in seen:
                seen.add(name)
                pending.append(name)
    return tuple(sorted(seen))
