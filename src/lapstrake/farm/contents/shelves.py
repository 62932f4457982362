"""The files of the branches' repositories, as others fetch them: by name, or by digest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lapstrake.config.branches import usable_branches
from lapstrake.errors import BranchError, ConfigError, UsageError
from lapstrake.farm.problems import Unknown, WrongState
from lapstrake.formats.aptindex import parse_release
from lapstrake.formats.sources_list import SourceList
from lapstrake.names import BranchName, Digest
from lapstrake.place.workplace import Workplace
from lapstrake.repository.generation import load_generation
from lapstrake.repository.shelf import file_sum
from lapstrake.source.archive_tree import RefusedEntry, safe_parts

_INDEX = ("InRelease", "Release", "Release.gpg", "Packages", "Packages.gz", "Packages.xz")
_KEYS = ("key.asc", "key.gpg")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfFile:
    """A file of a repository.

    Attributes:
        name: its path below the repository's folder.
        digest: of its bytes, ``sha256:…``.
        size: bytes.
    """

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfState:
    """What a repository holds at one time.

    Attributes:
        digest: names the state: the digest of its ``Packages``.
        files: all that a copy of it needs; empty when nothing was ever published.
    """

    digest: str
    files: tuple[ShelfFile, ...] = ()


class Shelves:
    """The repositories of a server's branches.

    Args:
        place: whose.
    """

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def state(self, branch: str, arches: frozenset[str] = frozenset()) -> ShelfState:
        """What a copy of a branch's repository needs.

        Args:
            branch: the branch.
            arches: packages of these only, and those for all; every package when empty.

        Raises:
            Unknown: there is no such branch.
        """
        folder = self._folder(branch)
        generation = load_generation(folder)
        files = [
            ShelfFile(name=name, digest=f"sha256:{entry.sha256}", size=entry.size)
            for entry in generation.entries
            if not arches or entry.architecture in {*arches, "all"}
            for name in dict.fromkeys((entry.location.removeprefix("./"), entry.name))
        ]
        names = [folder / name for name in (*_INDEX, *_KEYS)]
        files += [_summed(folder, path) for path in (*_hashed(folder), *names) if path.is_file()]
        return ShelfState(digest=str(generation.digest), files=tuple(files))

    def mark(self, branch: str) -> str:
        """What changes with every publication, found out quickly.

        Raises:
            Unknown: there is no such branch.
        """
        return "-".join(f"{number:x}" for number in _mark(self._folder(branch)))

    def find(self, digest: Digest) -> Path | None:
        """The file with these bytes, if a repository has it."""
        output = self._place.config.work_dir / "output"
        folders = sorted(output.iterdir()) if output.is_dir() else []
        for folder in folders:
            path = _by_digest(folder, _mark(folder)).get(digest.hex)
            if path is not None and path.is_file():
                return path
        return None

    def file(self, branch: str, name: str) -> Path:
        """The path of a file by its name.

        Raises:
            Unknown: there is no such branch, or no file can be called so.
        """
        folder = self._folder(branch)
        try:
            parts = safe_parts(name)
        except RefusedEntry:
            parts = ()
        if not parts or any(part.startswith(".") for part in parts):
            raise Unknown(f"the repository of {branch} has no {name[:200]!r}")
        return folder.joinpath(*parts)

    def _folder(self, branch: str) -> Path:
        return self._place.output(known_branch(self._place, branch)[0])


def known_branch(place: Workplace, text: str) -> tuple[BranchName, SourceList]:
    """A branch by its name, and its source list.

    Raises:
        Unknown: there is no such branch; those that there are, are told.
        WrongState: its list is wrong.
    """
    try:
        name = BranchName(text)
        return name, place.config.branch(name)
    except ConfigError as wrong:
        raise WrongState(
            f"the branch {text} cannot be used: {wrong.brief}", resolution=wrong.resolution
        ) from wrong
    except (UsageError, BranchError) as unknown:
        known = sorted(each.text for each in usable_branches(place.config.folder)[0])
        raise Unknown(
            f"there is no branch {text[:90]!r}",
            resolution=f"The branches are: {', '.join(known) or 'none'}.",
            fields={"branches": known},
        ) from unknown


def _hashed(folder: Path) -> list[Path]:
    """The index's files by their sums, as apt asks for them."""
    try:
        sums = parse_release((folder / "InRelease").read_bytes()).values()
    except FileNotFoundError:
        return []
    return [folder / "by-hash" / "SHA256" / digits for digits, _ in sums]


def _summed(folder: Path, path: Path) -> ShelfFile:
    return ShelfFile(
        name=str(path.relative_to(folder)),
        digest=f"sha256:{file_sum(path)}",
        size=path.stat().st_size,
    )


def _mark(folder: Path) -> tuple[int, int]:
    """Changes when the repository does."""
    try:
        facts = (folder / "InRelease").stat()
    except OSError:
        return (0, 0)
    return (facts.st_ino, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _by_digest(folder: Path, mark: tuple[int, int]) -> dict[str, Path]:
    """The files of a repository's state by their SHA-256."""
    if mark == (0, 0):
        return {}
    entries = load_generation(folder).entries
    paths = {entry.sha256: folder / entry.location for entry in entries}
    for name in (*_INDEX, *_KEYS):
        path = folder / name
        if path.is_file():
            paths[file_sum(path)] = path
    by_hash = folder / "by-hash" / "SHA256"
    return paths | {path.name: path for path in by_hash.iterdir()}
