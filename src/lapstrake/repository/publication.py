"""What publishing a file means for those that are there: added, kept or replaced, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lapstrake.errors import PublishError
from lapstrake.formats.aptindex import IndexEntry
from lapstrake.names import Digest
from lapstrake.repository.generation import Generation
from lapstrake.repository.shelf import Incoming


class Action(StrEnum):
    """What became of a package that was published."""

    ADDED = "added"
    KEPT = "kept"  # the very same bytes were there
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A package after its publication.

    Attributes:
        package: its name.
        version: with epoch and revision.
        architecture: Debian's name, or ``all``.
        path: the file in the repository.
        size: bytes.
        digest: of the file.
        action: what was done.
        reason: why, for ``--explain``.
    """

    package: str
    version: str
    architecture: str
    path: Path
    size: int
    digest: Digest
    action: Action
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What publishing one file will do: what it replaces, and the result to report."""

    incoming: Incoming
    replaced: tuple[IndexEntry, ...]
    result: Published


def plan(before: Generation, incoming: Incoming, *, replace: bool, folder: Path) -> Plan:
    """Decide what publishing a file does to the published index.

    Args:
        before: the published index.
        incoming: the file.
        replace: whether other bytes may take the place of published ones.
        folder: the repository.

    Raises:
        PublishError: they may not, and would.
    """
    deb = incoming.deb
    identity = (deb.package, deb.version, deb.architecture)
    # A version's epoch is not in file names: 1:1.0 and 1.0 collide there though they differ.
    rivals = tuple(
        entry
        for entry in before.entries
        if entry.identity == identity or entry.name == deb.path.name
    )
    same = next((entry for entry in rivals if entry.identity == identity), None)
    action, reason, name = Action.ADDED, "no such package and version before", deb.path.name
    if same is not None and same.sha256 == incoming.sha256:
        action, reason, name = Action.KEPT, "the same bytes are published already", same.name
    elif rivals:
        action, reason = Action.REPLACED, _difference(rivals, incoming)
        if not replace:
            raise PublishError(
                f"{deb.path.name}: {reason}",
                details=f"published: {rivals[0].sha256}\nnew:       {incoming.sha256}",
                resolution="Raise the revision, or allow the rebuild to replace the package.",
            )
    result = Published(
        package=deb.package,
        version=deb.version,
        architecture=deb.architecture,
        path=folder / name,
        size=deb.size,
        digest=Digest("sha256", incoming.sha256),
        action=action,
        reason=reason,
    )
    return Plan(incoming=incoming, replaced=rivals, result=result)


def _difference(rivals: tuple[IndexEntry, ...], incoming: Incoming) -> str:
    old = rivals[0]
    if old.identity == (incoming.deb.package, incoming.deb.version, incoming.deb.architecture):
        by = f" (build {old.build})" if old.build else ""
        return f"{old.package} {old.version} is published with other bytes{by}"
    return f"its file name is that of {old.package} {old.version}"


def refuse_twins(incoming: Sequence[Incoming]) -> None:
    """Refuse files that would take each other's place.

    Raises:
        PublishError: two have one name, or are one package and version.
    """
    names: dict[str, Incoming] = {}
    identities: dict[tuple[str, str, str], Incoming] = {}
    for item in incoming:
        deb = item.deb
        identity = (deb.package, deb.version, deb.architecture)
        twin = names.setdefault(deb.path.name, item)
        other = identities.setdefault(identity, item)
        if twin is not item or other is not item:
            raise PublishError(
                f"{deb.path.name}: is published twice at once: {other.deb.path.name}"
            )
