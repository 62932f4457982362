"""The server's branches, and what they have published."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.config.branches import usable_branches
from lapstrake.config.model import Config
from lapstrake.errors import LapstrakeError
from lapstrake.farm.problems import Unavailable, Unknown
from lapstrake.farm.values.lists import Page
from lapstrake.formats.aptindex import IndexEntry
from lapstrake.names import BranchName, Digest
from lapstrake.place.state import StateFiles
from lapstrake.repository.generation import current_digest, load_generation

_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFacts:
    """A branch as the server has it.

    Attributes:
        name: its name.
        packages: how many it has published.
        arches: the machines that they are for, and ``all``.
        updated: when it last published, 0 for never.
        made: when its instance was made, 0 for never.
        checked: when upstream was last looked at, 0 for never.
        key: the fingerprint of the key that signs its repository, empty before the first time.
    """

    name: str
    packages: int
    arches: tuple[str, ...]
    updated: float
    made: float
    checked: float
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """A published package.

    Attributes:
        name, version, arch: as apt knows it.
        file: its file's name in the repository.
        size: bytes.
        sha256: of the file, in hexadecimal.
    """

    name: str
    version: str
    arch: str
    file: str
    size: int
    sha256: str


def branch_names(config: Config) -> tuple[str, ...]:
    """The branches that may be built for, sorted; those whose lists are wrong are not."""
    branches, _wrong = usable_branches(config.folder)
    return tuple(sorted(str(name) for name in branches))


def branch_facts(config: Config) -> tuple[BranchFacts, ...]:
    """All branches, by name."""
    return tuple(_facts(config, name) for name in branch_names(config))


def one_branch(config: Config, name: str) -> BranchFacts:
    """One branch.

    Raises:
        Unknown: there is no such branch.
    """
    _require(config, name)
    return _facts(config, name)


def branch_packages(
    config: Config, branch: str, *, text: str = "", after: str = "", limit: int = 50
) -> Page[PackageFacts]:
    """Some published packages of a branch, by name.

    Args:
        config: where the repositories are.
        branch: the branch.
        text: must be part of the name; empty for all.
        after: ``next`` of the page before.
        limit: how many at most.

    Raises:
        Unknown: there is no such branch.
        Unavailable: its repository cannot be read.
    """
    _require(config, branch)
    text = text.lower()
    wanted = [
        entry
        for entry in _generation(_output(config, branch))[0]
        if text in entry.package and _place(entry) > after
    ]
    items = tuple(_package(entry) for entry in wanted[:limit])
    return Page(items=items, next=_place(wanted[limit - 1]) if len(wanted) > limit else None)


def apt_sources(config: Config, branch: str, server: str) -> str:
    """What another machine's apt takes a branch's packages from, key included; sources.list(5).

    Args:
        config: where the repositories are.
        branch: the branch.
        server: the address that this server was asked by; `farm.url` comes before it.

    Raises:
        Unknown: there is no such branch, or it has published nothing yet.
    """
    _require(config, branch)
    file = _output(config, branch) / f"{branch}.sources"
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise Unknown(f"{branch} has published nothing yet", resolution="Build for it.") from None
    uri = f"URIs: {config.farm.url or server}/repository/{branch}"
    return "".join(f"{uri if line.startswith('URIs:') else line}\n" for line in lines)


def _require(config: Config, name: str) -> None:
    known = branch_names(config)
    if name not in known:
        raise Unknown(
            f"there is no branch {name!r}", resolution=f"There are: {', '.join(known) or 'none'}."
        )


def _facts(config: Config, name: str) -> BranchFacts:
    state = StateFiles(config.work_dir / ".builder").branch(BranchName(name))
    folder = _output(config, name)
    entries, key = _generation(folder)
    return BranchFacts(
        name=name,
        packages=len(entries),
        arches=tuple(sorted({entry.architecture for entry in entries})),
        updated=_changed(folder / "InRelease"),
        made=state.current.made if state.current else 0.0,
        checked=state.checked,
        key=key if entries else "",
    )


def _output(config: Config, branch: str) -> Path:
    return config.work_dir / "output" / branch


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _generation(folder: Path) -> tuple[Sequence[IndexEntry], str]:
    try:
        return _read(folder, current_digest(folder))
    except LapstrakeError as error:
        raise Unavailable(
            f"the repository of {folder.name} cannot be read: {error.brief}",
            resolution=error.resolution,
        ) from error


@functools.lru_cache(maxsize=_KEPT)
def _read(folder: Path, digest: Digest) -> tuple[Sequence[IndexEntry], str]:  # noqa: ARG001 - a key
    """Indexes are large and change rarely: each is read once."""
    generation = load_generation(folder)
    return sorted(generation.entries, key=_place), generation.key


def _place(entry: IndexEntry) -> str:
    """Where a package stands in the list."""
    return f"{entry.package} {entry.version} {entry.architecture}"


def _package(entry: IndexEntry) -> PackageFacts:
    return PackageFacts(
        name=entry.package,
        version=entry.version,
        arch=entry.architecture,
        file=entry.name,
        size=entry.size,
        sha256=entry.sha256,
    )
