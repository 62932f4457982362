"""A backup that somebody made up: nothing of it lands outside the folder that is restored."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.config.load import load_config
from lapstrake.config.model import Config
from lapstrake.errors import FarmError
from lapstrake.farm.operations.migrating import open_tables
from lapstrake.farm.operations.pieces import MANIFEST, SQLITE, Manifest
from lapstrake.farm.operations.restore import restore
from lapstrake.farm.serving.serve import serve
from lapstrake.farm.serving.settings import ServeSettings
from lapstrake.formats.zstd import zstd_module

Put = Callable[[tarfile.TarFile], None]


def _file(name: str) -> Put:
    def put(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))

    return put


def _link(name: str, kind: bytes, target: str) -> Put:
    def put(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)

    return put


@pytest.mark.parametrize(
    "puts",
    [
        [_file("outside/evil")],
        [_file("/outside/evil")],
        [_file("output/../../outside/evil")],
        [_link("output/way", tarfile.SYMTYPE, "../../../outside"), _file("output/way/evil")],
        [_link("output/evil", tarfile.LNKTYPE, "output/../../../outside/kept")],
        [_link("output/evil", tarfile.LNKTYPE, "/outside/kept")],
    ],
)
def test_no_member_leads_out(puts: list[Put], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"kept")
    backup = tmp_path / "backup"
    _write(backup, puts)
    with pytest.raises(FarmError, match=r"no part of a backup|damaged"):
        restore(_config(tmp_path / "work"), backup)
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").stat().st_nlink == 1
    assert not (tmp_path / "work" / "output").exists()


def test_nobody_uses_a_farm_that_is_half_restored(tmp_path: Path) -> None:
    config = _config(tmp_path / "work")
    _write(tmp_path / "cut", [_file("outside/evil")])
    with pytest.raises(FarmError):
        restore(config, tmp_path / "cut")
    with pytest.raises(FarmError, match="has not ended"), open_tables(config):
        pass
    with pytest.raises(FarmError, match="has not ended"):
        serve(ServeSettings(config=config), on_ready=lambda _url: None)
    assert not (tmp_path / "work" / "farm").exists()


def _config(work_dir: Path) -> Config:
    return load_config(overrides={"work_dir": str(work_dir)})


def _write(backup: Path, puts: list[Put]) -> None:
    manifest = Manifest(version="1", made=0.0, database=SQLITE).dump()
    with (
        zstd_module().open(backup, "wb") as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(manifest)
        archive.addfile(head, io.BytesIO(manifest))
        for put in puts:
            put(archive)
