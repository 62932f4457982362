"""From the topmost manifest to the manifests of all packages that it needs, however far away."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lapstrake.artifact.base import Origin
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.manifest.base import FILE_NAME, Manifest
from lapstrake.artifact.manifest.fetched import (
    fetched_folder,
    missing_packages,
    same_source,
    source_text,
)
from lapstrake.artifact.manifest.read import read_manifest
from lapstrake.errors import ProjectError
from lapstrake.host.toml_file import read_toml
from lapstrake.progress import Progress
from lapstrake.source.spec import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """That a package is needed, and where that is said.

    Attributes:
        name: the package.
        source: where it comes from.
        folder: of a fetched source, the package's folder in it.
        by: the manifest that says so.
        location: in which of its tables.
        inside: the folder that paths may not lead out of: `by` was fetched from elsewhere.
    """

    name: str
    source: Path | SourceSpec
    folder: str = ""
    by: Manifest
    location: tuple[str, ...]
    inside: Path | None = None

    @property
    def where(self) -> str:
        """``FILE:LINE: KEY``, for messages."""
        return place_of(self.by, *self.location)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A manifest of the project.

    Attributes:
        manifest: the manifest.
        origin: how it came in.
        need: the first that asked for it.
        inside: the folder it was fetched into, with whatever else came along.
    """

    manifest: Manifest
    origin: Origin
    need: Need
    inside: Path | None = None


@dataclass(slots=True, kw_only=True)
class Gathering:
    """Manifests being collected, those nearest to the topmost first.

    Attributes:
        top: the topmost manifest.
        depot: where fetched packages go.
        progress: hears what is fetched.
        offline: fetch nothing.
        records: where manifests are remembered.
        members: what was found, by name.
    """

    top: Manifest
    depot: Depot
    progress: Progress
    offline: bool
    records: Path
    members: dict[str, Member] = field(default_factory=dict)

    def run(self) -> Mapping[str, Member]:
        """Collect everything, the topmost too.

        Raises:
            ProjectError: a manifest is missing or wrong, or two want different packages of one
                name.
            FetchError: a package could not be fetched; likewise ChecksumError and UnpackError.
        """
        self.members[self.top.name] = _topmost(self.top)
        waiting = list(self._needs(self.members[self.top.name]))
        while waiting:
            new: dict[str, Need] = {}
            for need in waiting:
                member = self.members.get(need.name)
                self._check_same(need, member.need if member else new.setdefault(need.name, need))
            specs = [need.source for need in new.values() if isinstance(need.source, SourceSpec)]
            _refuse_local(new.values())
            self._fetch(specs)
            for need in new.values():
                self.members[need.name] = self._read(need)
            waiting = [need for name in new for need in self._needs(self.members[name])]
        self._check_overrides()
        return self.members

    def _fetch(self, specs: Sequence[SourceSpec]) -> None:
        missing = missing_packages(specs, self.depot)
        if missing:
            from lapstrake.artifact.manifest.fetching import fetch_packages  # most are there

            fetch_packages(missing, depot=self.depot, progress=self.progress, offline=self.offline)

    def _needs(self, member: Member) -> Iterator[Need]:
        """What a member depends on, from where the topmost manifest wants it."""
        instead = {
            each.name: Need(
                name=each.name, source=each.source, folder=each.folder, by=self.top,
                location=("overrides", each.name),
            )
            for each in self.top.overrides
            if each.source is not None
        }  # fmt: skip
        for each in member.manifest.dependencies:
            yield instead.get(each.name) or Need(
                name=each.name, source=each.source, folder=each.folder, by=member.manifest,
                location=("dependencies", each.name), inside=member.inside,
            )  # fmt: skip

    def _check_same(self, need: Need, other: Need) -> None:
        """Refuse a second package of a name that there is already."""
        if same_source(other.source, need.source) and other.folder == need.folder:
            return
        raise ProjectError(
            f"{need.where}: there are two packages of the name {need.name}",
            details=f"{other.where}: {source_text(other.source)}\n"
            f"{need.where}: {source_text(need.source)}",
            resolution=f"Decide in [overrides.{need.name}] of {self.top.file}.",
        )

    def _read(self, need: Need) -> Member:
        if isinstance(need.source, SourceSpec):
            inside: Path | None = fetched_folder(need.source, self.depot)
            folder = fetched_folder(need.source, self.depot) / need.folder
            came = f"{source_text(need.source)}{f', folder {need.folder}' if need.folder else ''}"
        else:
            inside, folder, came = need.inside, need.source, str(need.source)
        if inside is not None and not folder.resolve().is_relative_to(inside.resolve()):
            raise ProjectError(f"{need.where}: {came} leads out of what was fetched")
        if not (folder / FILE_NAME).is_file():
            missing = "has no lapstrake.toml" if folder.is_dir() else "is no folder"
            again = f"To fetch it again, remove {inside}." if inside is not None else ""
            raise ProjectError(f"{need.where}: {came} {missing}", resolution=again)
        # Not resolved: people know a package by the path that they wrote.
        manifest = read_manifest(_tidy(folder), records=self.records, inside=inside)
        if manifest.package is None:
            raise ProjectError(f"{need.where}: {manifest.file} is a project, not a package")
        if manifest.name != need.name:
            raise ProjectError(
                f"{need.where}: the package in {came} is called {manifest.name}",
                resolution=f"Write [{need.location[0]}.{manifest.name}].",
            )
        origin = Origin.PATH if inside is None else Origin.FETCHED
        return Member(manifest=manifest, origin=origin, need=need, inside=inside)

    def _check_overrides(self) -> None:
        for override in self.top.overrides:
            if override.name not in self.members:
                import difflib

                meant = difflib.get_close_matches(override.name, self.members, n=1)
                hint = f", did you mean {meant[0]}?" if meant else ""
                where = place_of(self.top, "overrides", override.name)
                raise ProjectError(f"{where}: nothing depends on {override.name}{hint}")


def _refuse_local(needs: Iterable[Need]) -> None:
    """What was fetched may not have us read repositories and archives of this host, but its own.

    Raises:
        ProjectError: it would.
    """
    for need in needs:
        if need.inside is None or isinstance(need.source, Path):
            continue
        url = need.source.url
        path = Path(unquote(urlsplit(url).path)) if url.lower().startswith(("file:", "/")) else None
        if path and not path.resolve().is_relative_to(need.inside.resolve()):
            raise ProjectError(f"{need.where}: {url} leads out of what was fetched")


def _topmost(manifest: Manifest) -> Member:
    """The manifest that somebody asked for."""
    location = ("project",) if manifest.package is None else ("package",)
    need = Need(name=manifest.name, source=manifest.folder, by=manifest, location=location)
    return Member(manifest=manifest, origin=Origin.PROJECT, need=need)


def place_of(manifest: Manifest, *location: str) -> str:
    """``FILE:LINE: KEY`` of a place in a manifest, for messages."""
    return read_toml(manifest.file, error=ProjectError).where(location)


def _tidy(folder: Path) -> Path:
    """A path without ``..``, where leaving it out means the same."""
    plain = Path(os.path.normpath(folder))
    return plain if plain.exists() and plain.samefile(folder) else folder
