"""Volumes of builds, found by what is written on them: when they were used last, and for whom."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lapstrake.artifact.builders.volume import ID_FILE, LABEL, PLACE_LABEL, folder_of, read_id
from lapstrake.artifact.keeping.entries import Entry, Kind
from lapstrake.errors import ArtifactError, RunnerError
from lapstrake.host.engine import Engine, find_engine
from lapstrake.host.engine_version import EngineKind
from lapstrake.host.supervise import tree_size


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled:
    """A volume: the build it is of, by its first volume's name; where that is; bytes, if known."""

    name: str
    build: str
    place: str
    size: int


def volumes_of_builds(program: str = "") -> list[Entry]:
    """The volumes that builds on this machine have made, one entry for all that belong together.

    One whose build folder is gone, or has another volume now, is lost.

    Args:
        program: an engine's program besides those that are found by their names.
    """
    found: list[Entry] = []
    for engine in _engines(program):
        volumes = [_look_at(engine, name) for name in engine.labelled("volume", PLACE_LABEL)]
        for each in volumes:
            if each.name == each.build:  # those beside it are removed with it
                size = sum(other.size for other in volumes if other.build == each.name)
                found += _entry(engine, each, size)
    return found


def remove_volume(entry: Entry) -> bool:
    """Remove the volumes of a build, unless a container uses one."""
    kind, _, name = entry.name.partition(":")
    try:
        engine = find_engine(kind)
        beside = engine.labelled("volume", f"{LABEL}={name}")
        for each in sorted(beside, key=lambda other: other == name):
            engine.call("volume", "rm", each, doing=f"removing the volume {each}")
    except RunnerError:
        return False
    if not entry.lost:
        (entry.path / ID_FILE).unlink(missing_ok=True)
    return True


def _look_at(engine: Engine, name: str) -> _Labelled:
    facts = engine.inspect("volume", name) or {}
    labels = facts.get("Labels") or {}
    place = facts.get("Mountpoint") or ""
    return _Labelled(
        name=name,
        build=labels.get(LABEL, ""),
        place=labels.get(PLACE_LABEL, ""),
        size=tree_size(Path(place)) if place and os.access(place, os.R_OK) else 0,
    )


def _entry(engine: Engine, volume: _Labelled, size: int) -> Iterator[Entry]:
    folder = folder_of(volume.place)
    if folder is None:
        return  # another machine's, or nobody knows whose
    package, _, identifier = volume.name.rpartition("-")
    known, times = "", [0.0]
    with suppress(ArtifactError):
        known = read_id(folder)
    lost = known != identifier
    with suppress(FileNotFoundError):  # what a build is writing may have another name just now
        times += [] if lost else [each.lstat().st_mtime for each in folder.iterdir()]
    yield Entry(
        name=f"{engine.kind}:{volume.name}",
        path=folder,
        package=package,
        kind=Kind.VOLUME,
        size=size,
        used=max(times),
        lost=lost,
    )


def _engines(program: str) -> Iterator[Engine]:
    """The engines that answer, each once."""
    seen = set()
    for name in filter(None, (program, *EngineKind)):
        with suppress(RunnerError):
            engine = find_engine(name)
            if engine.kind not in seen:
                seen.add(engine.kind)
                yield engine
