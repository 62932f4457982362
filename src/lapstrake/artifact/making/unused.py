"""Volumes of builds, found by what is written on them: when they were used last, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lapstrake.artifact.entries import Entry, Kind
from lapstrake.artifact.making.volume import ID_FILE, LABEL, PLACE_LABEL, place_name, read_id
from lapstrake.errors import ArtifactError, RunnerError
from lapstrake.host.engine import Engine, find_engine
from lapstrake.host.engine_version import EngineKind


def volumes_of_builds(program: str = "") -> list[Entry]:
    """The volumes that builds on this machine have made, one entry for all that belong together.

    One whose build folder is gone, or has another volume now, is lost.

    Args:
        program: an engine's program besides those that are found by their names.
    """
    found: list[Entry] = []
    for engine in _engines(program):
        for name in engine.labelled("volume", PLACE_LABEL):
            facts = engine.inspect("volume", name)
            labels = (facts or {}).get("Labels") or {}
            if labels.get(LABEL) == name:  # those beside it are removed with it
                found += _entry(engine, name, labels.get(PLACE_LABEL, ""))
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


def _entry(engine: Engine, name: str, place: str) -> Iterator[Entry]:
    folder = Path(place.partition(":")[2])
    if place != place_name(folder) or place.startswith(":"):
        return  # another machine's, or nobody knows whose
    package, _, identifier = name.rpartition("-")
    known = ""
    with suppress(ArtifactError):
        known = read_id(folder)
    lost = known != identifier
    times = [] if lost else [each.lstat().st_mtime for each in folder.iterdir()]
    yield Entry(
        name=f"{engine.kind}:{name}",
        path=folder,
        package=package,
        kind=Kind.VOLUME,
        used=max(times, default=0.0),
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
