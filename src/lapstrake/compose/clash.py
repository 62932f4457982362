"""Packages that exclude each other; of the loser apt says only that it cannot be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lapstrake.errors import DependencyError
from lapstrake.place.apt import Apt


def clash_of(apt: Apt, wanted: Sequence[str], blamed: Sequence[str]) -> DependencyError | None:
    """Find out whether a package could be had, were it not for others that are wanted too.

    Args:
        apt: whom to ask.
        wanted: names of packages.
        blamed: what apt says it cannot have, some of those names among them.

    Returns:
        an error that names both sides, as far as they say so themselves (``Conflicts``);
        ``None`` when the package cannot be had alone either.
    """
    loser = next((name for name in blamed if name in wanted and _possible(apt, name)), None)
    if loser is None:
        return None
    others = [name for name in wanted if name != loser]
    said = apt.run(("apt-cache", "depends", loser, *others)).decode("utf-8", "replace")
    conflicts = read_conflicts(said)
    rivals = [
        name
        for name in others
        if name in conflicts.get(loser, ()) or loser in conflicts.get(name, ())
    ]
    return DependencyError(
        f"{loser} cannot be installed together with {', '.join(rivals or others)}",
        resolution="Leave one of them out.",
    )


def read_conflicts(text: str) -> Mapping[str, frozenset[str]]:
    r"""Read from ``apt-cache depends`` with what each package conflicts, by any name that it has.

    >>> sorted(read_conflicts("a\n  Depends: x\n  Conflicts: <mta>\n    b\n    c\n")["a"])
    ['b', 'c', 'mta']
    """
    conflicts: dict[str, set[str]] = {}
    package, heard = "", False
    for line in text.splitlines():
        word = line.strip(" |")
        if line == word:
            package, heard = word, False
        elif line.startswith("    "):
            conflicts[package].update([word] if heard else [])
        else:
            relation, _, name = word.partition(": ")
            heard = relation == "Conflicts"
            conflicts.setdefault(package, set()).update([name.strip("<>")] if heard else [])
    return {name: frozenset(others) for name, others in conflicts.items()}


def _possible(apt: Apt, name: str) -> bool:
    try:
        apt.get("--simulate", "satisfy", name, network=False)
    except DependencyError:
        return False
    return True
