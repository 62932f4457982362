"""A hostile server: what it may do on a worker's host, beyond choosing what is built."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lapstrake.baseos.bootstrap import bootstrap
from lapstrake.config.load import load_config
from lapstrake.config.model import BaseConfig
from lapstrake.errors import LapstrakeError, StoreError
from lapstrake.farm.contents.stack import ListText, StackDocument
from lapstrake.farm.worker.configured import configured
from lapstrake.formats.sources_list import ListStyle, SourceList
from lapstrake.host.layer_archive import unpack_layer
from lapstrake.names import Arch
from lapstrake.progress import Silent

LISTED = ListText(style="list", text="deb http://example.org/debian sid main\n")


def archive(folder: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    path, packed = folder / "layer.tar", folder / "layer.tar.zst"
    with tarfile.open(path, "w") as tar:
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    subprocess.run(["zstd", "-q", path, "-o", packed], check=True)
    return packed


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize("name", ["../../owned", "/etc/cron.d/owned", "a/../../owned", ""])
def test_a_branchs_name_is_no_path(tmp_path: Path, name: str) -> None:
    config = load_config(None, overrides={"work_dir": str(tmp_path / "work")})
    document = StackDocument(branch="sid", arch="amd64", listed=LISTED)
    with pytest.raises(LapstrakeError):
        configured(config, replace(document, branch=name))
    assert not list(tmp_path.rglob("*owned*"))


@pytest.mark.parametrize("closed", ["..", "../outside", "{outside}", "link"])
def test_only_folders_of_a_layer_are_closed(tmp_path: Path, closed: str) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "layer" / "tree"
    outside.mkdir()
    tree.parent.mkdir()
    packed = archive(tmp_path, (entry("./link", tarfile.SYMTYPE, str(outside)), b""))
    with pytest.raises(StoreError):
        unpack_layer(packed, tree, [closed.format(outside=outside)])
    assert os.listxattr(outside) == os.listxattr(tmp_path) == []


def test_no_file_of_a_layer_lands_elsewhere(tmp_path: Path) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "layer" / "tree"
    outside.mkdir()
    (outside / "file").write_text("the host's")
    tree.parent.mkdir()
    packed = archive(
        tmp_path,
        (entry("../owned"), b"x"),
        (entry("./up", tarfile.SYMTYPE, "../../outside"), b""),
        (entry("./up/owned"), b"x"),
        (entry("./far", tarfile.SYMTYPE, str(outside)), b""),
        (entry("./far/file"), b"owned"),
        (entry("./hard", tarfile.LNKTYPE, f"{outside}/file"), b""),
    )
    with suppress(StoreError):
        unpack_layer(packed, tree, ())
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "the host's"
    assert (outside / "file").stat().st_nlink == 1
    assert not (tree.parent / "owned").exists()


def test_a_suite_is_no_option(tmp_path: Path) -> None:
    """mmdebstrap has options that run commands on the host; this one tells that it was taken."""
    text = "deb [trusted=yes] file:///nowhere sid main\n"
    listed = SourceList(entries=(), text=text, style=ListStyle.ONE_LINE, origin="the server")
    base = BaseConfig(suite="--version", variant="extract")
    root = tmp_path / "root"
    with pytest.raises(LapstrakeError):
        bootstrap(root, base=base, arch=Arch.AMD64, sources=listed, progress=Silent())
