"""What packages of a root need at run time, as dpkg's list in that root has it."""

from __future__ import annotations

from collections.abc import Sequence

from lapstrake.compose.base import ComposedRoot, Package
from lapstrake.compose.relations import Installed, parse_relations, reachable
from lapstrake.compose.status import STATUS, Stanza, parse_status
from lapstrake.errors import DependencyError, MissingError
from lapstrake.host.confined import read_confined
from lapstrake.layer.store import Layer
from lapstrake.place.workplace import Workplace

_LIMIT = 256 << 20


def closure_of(place: Workplace, root: ComposedRoot, names: Sequence[str]) -> tuple[Package, ...]:
    """Find all packages that some packages of a root need, themselves among them.

    Args:
        place: where.
        root: the root.
        names: of packages, or what packages provide; ``NAME=VERSION`` is one too.

    Returns:
        the packages sorted by name, each with what satisfies its dependencies in this root.

    Raises:
        MissingError: the root does not have them; all are named.
        DependencyError: dpkg's list of the root cannot be read.
    """
    installed = Installed(parse_status(read_status(root.stack)), place.config.arch.value)
    starts = {name: _start(installed, name) for name in names}
    missing = tuple(name for name, start in starts.items() if start is None)
    if missing:
        raise MissingError(missing)
    needs = {name: installed.needs(stanza) for name, stanza in installed.by_name.items()}
    added = {package.name: package for package in root.added}
    return tuple(
        describe(installed.by_name[name], needs=needs[name], file=added.get(name))
        for name in reachable((start for start in starts.values() if start), needs)
    )


def read_status(layers: Sequence[Layer]) -> str:
    """Read dpkg's list of a stack: the uppermost layer's that has one.

    Raises:
        DependencyError: there is none.
    """
    for layer in reversed(layers):
        data = read_confined(layer.tree, STATUS, limit=_LIMIT, error=DependencyError)
        if data is not None:
            return data.decode("utf-8", "replace")
    raise DependencyError("the root has no list of packages (/var/lib/dpkg/status)")


def describe(
    stanza: Stanza, *, needs: tuple[str, ...] = (), file: Package | None = None
) -> Package:
    """A package as its paragraph has it, with what is known of its file."""
    source, source_version = stanza.source
    same = file is not None and file.version == stanza["version"]
    return Package(
        name=stanza.name,
        version=stanza["version"],
        arch=stanza["architecture"],
        source=source,
        source_version=source_version,
        sha256=file.sha256 if file and same else "",
        size=file.size if file and same else 0,
        installed=_kibibytes(stanza["installed-size"]),
        essential=stanza["essential"] == "yes",
        needs=needs,
    )


def _start(installed: Installed, name: str) -> str | None:
    """The installed package that a name stands for."""
    plain, _, version = name.partition("=")
    relations = parse_relations(f"{plain} (= {version})" if version else plain)
    return installed.who(relations[0][0]) if relations else None


def _kibibytes(text: str) -> int:
    return int(text) * 1024 if text.isascii() and text.isdigit() and len(text) < 16 else 0
