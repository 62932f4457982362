"""Relations between packages (Debian policy 7.1), checked and kept as text: apt evaluates them."""

from __future__ import annotations

import re

_RELATION = re.compile(
    r"""
    (?P<name> [a-zA-Z0-9][a-zA-Z0-9.+-]* )
    (?: : [a-z0-9][a-z0-9-]* )?                                 # python3:any
    (?: \s* \( \s* (?: << | <= | = | >= | >> | < | > ) \s*
        (?: [0-9a-zA-Z.+:~-]+ | \$\{[\w:.-]+\} [0-9a-zA-Z.+:~-]* ) \s* \) )?
    (?: \s* \[ \s* !? [\w-]+ (?: \s+ !? [\w-]+ )* \s* \] )?     # [linux-any], [!i386 !arm64]
    (?: \s* < \s* !? [\w.+-]+ (?: \s+ !? [\w.+-]+ )* \s* > )*   # <!nocheck> <stage1 cross>
    """,
    re.VERBOSE,
)
_SUBSTITUTION = re.compile(r"\$\{[\w:.-]+\}")


class RelationError(ValueError):
    """A relation is malformed; `text` is the piece that is wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a relation between packages")
        self.text = text


def split_relations(value: str, *, substitutions: bool = False) -> tuple[str, ...]:
    """Split a field at its commas, blanks made single, empty items left out.

    Args:
        value: the field's value.
        substitutions: whether ``${misc:Depends}`` may stand for a relation, as in a binary
            package's fields.

    Raises:
        RelationError: an item is not a relation.
    """
    items = tuple(" ".join(item.split()) for item in value.split(","))
    for item in filter(None, items):
        for alternative in item.split("|"):
            _check(alternative.strip(), substitutions=substitutions)
    return tuple(filter(None, items))


def package_names(relations: tuple[str, ...]) -> tuple[str, ...]:
    """Name the packages of relations, all alternatives, each once, in order."""
    matches = (
        _RELATION.match(alternative.strip())
        for relation in relations
        for alternative in relation.split("|")
    )
    return tuple(dict.fromkeys(match["name"] for match in matches if match))


def _check(relation: str, *, substitutions: bool) -> None:
    if substitutions and _SUBSTITUTION.match(relation):
        return
    if not _RELATION.fullmatch(relation) or ("${" in relation and not substitutions):
        raise RelationError(relation)
