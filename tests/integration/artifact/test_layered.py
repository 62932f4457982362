"""Artifacts and folders as layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.artifact.identity import Identity
from lapstrake.artifact.using.layered import artifact_layer, folder_layer
from lapstrake.errors import ArtifactError
from lapstrake.names import GuestPath
from lapstrake.place.workplace import Workplace
from roots import open_work_dir

AT = GuestPath("/opt/lapstrake/chain")
IDENTITY = Identity(
    package="chain", host="linux_x86_64", version="1", checksum="A" * 64, suffix=".tar.xz"
)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return open_work_dir(tmp_path / "work")


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A small toolchain, with a link, an empty folder and a name of blanks."""
    folder = tmp_path / "chain"
    (folder / "bin").mkdir(parents=True)
    (folder / "empty dir").mkdir()
    (folder / "bin/gcc").write_text("#!/bin/sh\n")
    (folder / "bin/gcc").chmod(0o755)
    (folder / "bin/cc").symlink_to("gcc")
    return folder


def test_an_artifact_is_not_copied(place: Workplace, chain: Path) -> None:
    layer = artifact_layer(place, IDENTITY, chain, AT)
    tree = layer.tree / "opt/lapstrake/chain"
    assert (tree / "bin/gcc").stat().st_ino == (chain / "bin/gcc").stat().st_ino
    assert (tree / "bin/cc").readlink() == Path("gcc")
    assert (tree / "empty dir").is_dir()
    assert (layer.kind, layer.facts["artifact"]) == ("artifact", "chain-linux_x86_64-1-AAAAAAA")
    assert artifact_layer(place, IDENTITY, chain, AT).created == layer.created


def test_a_folder_is_copied_as_it_is_now(place: Workplace, chain: Path) -> None:
    layer = folder_layer(place, chain, AT)
    program = layer.tree / "opt/lapstrake/chain/bin/gcc"
    assert program.stat().st_ino != (chain / "bin/gcc").stat().st_ino
    assert program.stat().st_mode & 0o777 == 0o755
    (chain / "bin/gcc").write_text("#!/bin/bash\n")
    changed = folder_layer(place, chain, AT)
    assert changed.key != layer.key
    assert program.read_text() == "#!/bin/sh\n"
    assert (changed.tree / "opt/lapstrake/chain/bin/gcc").read_text() == "#!/bin/bash\n"


def test_the_place_in_the_root_counts(place: Workplace, chain: Path) -> None:
    here = artifact_layer(place, IDENTITY, chain, AT)
    there = artifact_layer(place, IDENTITY, chain, GuestPath("/opt/other"))
    assert here.key != there.key
    assert (there.tree / "opt/other/bin/gcc").is_file()


def test_another_disk(place: Workplace, memory_path: Path) -> None:
    elsewhere = memory_path / "chain"
    if elsewhere.parent.stat().st_dev == place.store.root.stat().st_dev:
        pytest.skip("needs two file systems")
    elsewhere.mkdir()
    (elsewhere / "file").write_text("bytes")
    layer = artifact_layer(place, IDENTITY, elsewhere, AT)
    assert (layer.tree / "opt/lapstrake/chain/file").read_text() == "bytes"


def test_what_is_not_there(place: Workplace, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="No such file"):
        folder_layer(place, tmp_path / "none", AT)
