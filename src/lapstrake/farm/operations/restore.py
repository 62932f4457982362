"""Bring a backup back, into an empty place: nothing that is there is ever overwritten.

The engine starts empty. The server gives it what is queued; what was being built when the backup
was made counts as lost, and is given out again.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url

from lapstrake.config.model import Config
from lapstrake.errors import FarmError
from lapstrake.farm.engine.database import SCHEMA as ENGINE_SCHEMA
from lapstrake.farm.operations import postgres
from lapstrake.farm.operations.pieces import MANIFEST, POSTGRESQL, SQLITE, Manifest
from lapstrake.farm.tables.database import SCHEMA, Database, address
from lapstrake.farm.tables.half_restored import mark_of
from lapstrake.formats.zstd import zstd_module
from lapstrake.host import files

_FARM, _OTHERS = "farm", ("output", "keys")
_DONE = "restored.json"


def restore(config: Config, source: Path) -> Manifest:
    """Restore a backup; a restore that was killed is begun anew by the same call.

    Args:
        config: of the server that is to be; the database that it names must have no tables of ours.
        source: the backup.

    Raises:
        FarmError: there is something already, or the file is no backup, or of another database.
    """
    url = make_url(address(config.farm.database, config.work_dir / _FARM))
    mark = mark_of(config.work_dir)
    config.work_dir.mkdir(parents=True, exist_ok=True)
    with _opened(source) as archive:
        manifest = Manifest.read(_first(archive, source), source)
        _check_kind(manifest, url, source)
        if not _is_done(config, manifest):
            again = mark.exists() and not _has_content(config.work_dir / _FARM)
            if again:
                _take_back(config)
            _check_empty(config, url, again=again)
            files.write_atomic(mark, manifest.dump())
            _bring(config, archive, manifest, source)
    mark.unlink(missing_ok=True)
    files.sync_folder(config.work_dir)
    return manifest


def _bring(config: Config, archive: tarfile.TarFile, manifest: Manifest, source: Path) -> None:
    """Unpack, then give everything its name: last the folder without which there is no farm."""
    scratch = files.temporary_name(config.work_dir / _FARM)
    try:
        _unpack(archive, scratch, source)
        (scratch / _FARM / _DONE).write_bytes(manifest.dump())
        url = make_url(address(config.farm.database, scratch / _FARM))
        if manifest.database == SQLITE:
            (scratch / SQLITE).rename(str(url.database))
        elif not _has_schema(url, SCHEMA):  # else it was killed after this: they came all at once
            postgres.load(url, scratch / POSTGRESQL)
        files.sync_tree(scratch)
        for name in (*_OTHERS, _FARM):
            if (scratch / name).is_dir():
                files.replace_dir(scratch / name, config.work_dir / name, durable=False)
                files.sync_folder(config.work_dir)
    finally:
        files.remove_tree(scratch)


def _is_done(config: Config, manifest: Manifest) -> bool:
    """Whether this very backup was restored here, and only the end of that was missing."""
    done, mark = config.work_dir / _FARM / _DONE, mark_of(config.work_dir)
    return mark.exists() and done.is_file() and done.read_bytes() == manifest.dump()


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    zstd = zstd_module()
    try:
        with zstd.open(source, "rb") as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            yield archive
    except (tarfile.TarError, zstd.ZstdError, EOFError) as damaged:
        raise FarmError(f"{source} is damaged, or no backup of a farm: {damaged}") from damaged


def _first(archive: tarfile.TarFile, source: Path) -> bytes:
    member = archive.next()
    reader = archive.extractfile(member) if member and member.name == MANIFEST else None
    if reader is None:
        raise FarmError(f"{source} is no backup of a farm")
    return reader.read()


def _check_kind(manifest: Manifest, url: URL, source: Path) -> None:
    wanted = SQLITE if url.get_backend_name() == "sqlite" else POSTGRESQL
    if manifest.database != wanted:
        kinds = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}
        raise FarmError(
            f"{source} is of a farm on {kinds[manifest.database]}; "
            f"farm.database names {kinds[wanted]}",
            resolution="Set farm.database to where the backup's tables can go.",
        )


def _check_empty(config: Config, url: URL, *, again: bool) -> None:
    """Refuse to mix a backup with what is there."""
    there = [name for name in (_FARM, *_OTHERS) if _has_content(config.work_dir / name)]
    if there:
        raise FarmError(
            f"{config.work_dir} is not empty: it has {', '.join(there)}",
            resolution="Stop the server and restore into an empty folder (work_dir).",
        )
    if url.get_backend_name() == "sqlite" or again:
        return
    if any(_has_schema(url, schema) for schema in (SCHEMA, ENGINE_SCHEMA)):
        raise FarmError(
            f"the database {url.database} has a farm's tables already",
            resolution="Make an empty database, and name it as farm.database.",
        )


def _has_content(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def _has_schema(url: URL, schema: str) -> bool:
    database = Database(url.render_as_string(hide_password=False))
    try:
        database.check()
        return inspect(database.engine).has_schema(schema)
    finally:
        database.close()


def _take_back(config: Config) -> None:
    """Remove what a restore that was killed has put there: all was empty before it."""
    for name in _OTHERS:
        files.remove_tree(config.work_dir / name)
    files.remove_leftovers(config.work_dir)


def _unpack(archive: tarfile.TarFile, scratch: Path, source: Path) -> None:
    (scratch / _FARM).mkdir(mode=0o700, parents=True)
    archive.extraction_filter = getattr(tarfile, "tar_filter", None)  # not before Python 3.11.4
    while (member := archive.next()) is not None:
        if not _belongs(member, scratch):
            raise FarmError(f"{source} has {member.name!r}, which is no part of a backup")
        archive.extract(member, scratch)


def _belongs(member: tarfile.TarInfo, scratch: Path) -> bool:
    """Whether it is a part of a backup, and stays below the folder where that is unpacked."""
    names = (member.name, member.linkname) if member.islnk() else (member.name,)
    return all(
        name.split("/")[0] in {SQLITE, POSTGRESQL, _FARM, *_OTHERS}
        and ".." not in name.split("/")
        and (scratch / name).parent.resolve().is_relative_to(scratch.resolve())
        for name in names
    )
