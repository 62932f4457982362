"""Write all that a server has into one file, while it serves.

The tables come first, as they are at one moment. What they name by digest was there before and
never changes; logs only grow; a repository is copied by hard links while nobody publishes into it.
So what a copy of the tables speaks of is in the backup, whatever goes on meanwhile.
"""

from __future__ import annotations

import io
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from lapstrake import __version__
from lapstrake.config.model import Config
from lapstrake.errors import FarmError
from lapstrake.farm.operations import postgres
from lapstrake.farm.operations.pieces import MANIFEST, POSTGRESQL, SQLITE, TREES, Manifest
from lapstrake.farm.tables.database import address
from lapstrake.formats.zstd import zstd_module
from lapstrake.host import files
from lapstrake.host.locks import locked
from lapstrake.repository.generation import PRIVATE

_LEFT_OUT = Path("farm/contents/scratch")  # nobody misses what is unfinished
_PRIVATE_MODE = 0o600


def back_up(config: Config, target: Path) -> None:
    """Write a backup; it is there when it is whole.

    Args:
        config: whose server's.
        target: the file, ``.tar.zst``; only its owner may read it, since the keys are in it.

    Raises:
        FarmError: there is no server's database, or it cannot be copied.
        OSError: the file cannot be written.
    """
    url = make_url(address(config.farm.database, config.work_dir / "farm"))
    database = SQLITE if url.get_backend_name() == "sqlite" else POSTGRESQL
    with _scratch(config) as scratch, files.open_atomic(target, mode=_PRIVATE_MODE) as file:
        _copy_tables(url, scratch / database)
        manifest = Manifest(version=__version__, made=time.time(), database=database)
        with (
            zstd_module().open(file, "wb") as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            _add_bytes(archive, MANIFEST, manifest.dump())
            archive.add(scratch / database, database)
            for name in TREES:
                with _quiet(config.work_dir / name, scratch) as folder:
                    _add_tree(archive, folder, name)


@contextmanager
def _scratch(config: Config) -> Iterator[Path]:
    """A folder on the disk that the hard links need."""
    folder = config.work_dir / "farm"
    if not folder.is_dir():
        raise FarmError(
            f"{folder} is not there: no farm was ever served here",
            resolution="Name the server's configuration with -c, or its folder as work_dir.",
        )
    with tempfile.TemporaryDirectory(prefix=files.TEMPORARY, dir=folder) as made:
        yield Path(made)


def _copy_tables(url: URL, target: Path) -> None:
    if target.name == POSTGRESQL:
        postgres.dump(url, target)
        return
    source = Path(str(url.database))
    if not source.is_file():
        raise FarmError(f"{source} is not there: no farm was ever served here")
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reader,
            closing(sqlite3.connect(target)) as writer,
        ):
            reader.backup(writer)
    except sqlite3.Error as failed:
        raise FarmError(f"{source} cannot be copied: {failed}") from failed


@contextmanager
def _quiet(folder: Path, scratch: Path) -> Iterator[Path]:
    """A folder whose files belong together: of repositories, a copy from between publications."""
    if folder.name != "output":
        yield folder
        return
    for branch in sorted(folder.iterdir()) if folder.is_dir() else ():
        lock = branch / PRIVATE / "lock"
        if lock.is_file():
            with locked(lock, what=f"the repository of {branch.name}", exclusive=False):
                _link_tree(branch, scratch / "output" / branch.name)
    yield scratch / "output"


def _link_tree(source: Path, target: Path) -> None:
    """Give all files of a tree second names; links stay links."""
    for place, folders, names in os.walk(source):
        here = target / Path(place).relative_to(source)
        here.mkdir(parents=True)
        for name in [*names, *(each for each in folders if Path(place, each).is_symlink())]:
            os.link(Path(place, name), here / name, follow_symlinks=False)


def _add_tree(archive: tarfile.TarFile, folder: Path, name: str) -> None:
    """Add what is in a folder, parents first; what vanishes meanwhile was not needed any more."""
    for place, folders, names in os.walk(folder):
        here = Path(name, Path(place).relative_to(folder))
        folders[:] = sorted(
            each for each in folders if _is_wanted(each) and here / each != _LEFT_OUT
        )
        with suppress(FileNotFoundError):
            archive.add(place, str(here), recursive=False)
        for each in sorted(filter(_is_wanted, names)):
            with suppress(FileNotFoundError):
                archive.add(Path(place, each), str(here / each), recursive=False)


def _is_wanted(name: str) -> bool:
    return not name.startswith(files.TEMPORARY)


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(data), int(time.time())
    archive.addfile(member, io.BytesIO(data))
