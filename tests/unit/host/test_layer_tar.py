"""The tar of a layer: what tar programs read, and the same bytes whatever the disk does."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.host.layer_pack import main
from lapstrake.host.layer_tar import (
    END,
    Place,
    newest,
    pattern,
    read_places,
    refuse_holes,
    write_entries,
)

NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=60
)


def written(*places: Place, latest: int = 1 << 32, plain: bool = False, without: str = "") -> bytes:
    buffer = io.BytesIO()
    entries = read_places(places, pattern(without))
    write_entries(buffer, entries, latest=latest, plain=plain)
    return buffer.getvalue() + END


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return {entry.name: entry for entry in tar}


@given(st.lists(st.lists(NAMES, min_size=1, max_size=5), min_size=1, max_size=4))
def test_any_name_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, paths: list[list[str]]
) -> None:
    tree = tmp_path_factory.mktemp("tree")
    made = set()
    for parts in paths:
        if any(part in {".", ".."} or len(part.encode()) > 200 for part in parts):
            continue
        path = tree.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        except OSError:  # a file where a folder should be
            continue
        made.add("/".join(parts))
    found = members(written(Place(str(tree))))
    assert {name for name, entry in found.items() if entry.isreg()} == made


def test_long_names_links_and_big_numbers(tmp_path: Path) -> None:
    tree = tmp_path / "t"
    long = "d" * 90 + "/" + "e" * 90 + "/" + "f" * 120
    (tree / long).parent.mkdir(parents=True)
    (tree / long).write_text("1")
    (tree / "link").symlink_to("x" * 300)
    (tree / "old").write_text("2")
    os.utime(tree / "old", (-5, -5))
    if os.geteuid() == 0:
        os.chown(tree / "old", 3_000_000, 4_000_000)
    found = members(written(Place(str(tree))))
    assert found[long].size == 1
    assert found["link"].linkname == "x" * 300
    assert found["old"].mtime == 0
    if os.geteuid() == 0:
        assert (found["old"].uid, found["old"].gid) == (3_000_000, 4_000_000)


def test_gnu_tar_reads_it(tmp_path: Path) -> None:
    tree = tmp_path / "t"
    (tree / "ä" / ("b" * 200)).mkdir(parents=True)
    (tree / "ä" / "big").write_bytes(random.Random(1).randbytes(3_000_001))
    os.link(tree / "ä" / "big", tree / "twin")
    (tmp_path / "x.tar").write_bytes(written(Place(str(tree))))
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "x.tar", "-C", tmp_path / "out"], check=True)
    subprocess.run(["diff", "-r", tree, tmp_path / "out"], check=True)
    assert (tmp_path / "out/twin").stat().st_ino == (tmp_path / "out/ä/big").stat().st_ino


def test_times_are_no_younger_than_the_newest(tmp_path: Path) -> None:
    tree = tmp_path / "t"
    for name, time in {
        "usr/share/doc/p/changelog": 2000,
        "usr/bin/p": 1500,
        "etc/now": 9000,
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
        os.utime(tree / name, (time, time))
    entries = read_places([Place(str(tree))])
    assert newest(entries) == 2000
    found = members(written(Place(str(tree)), latest=2000))
    assert {name: entry.mtime for name, entry in found.items() if entry.isreg()} == {
        "usr/share/doc/p/changelog": 2000, "usr/bin/p": 1500, "etc/now": 2000,
    }  # fmt: skip


def test_left_out_names_take_what_is_below_with_them(tmp_path: Path) -> None:
    for name in ("var/cache/a", "var/kept", "etc/secret"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = members(written(Place(str(tmp_path)), without=r"var/cache|etc/secret"))
    assert set(found) == {"etc", "var", "var/kept"}


def test_trees_elsewhere_than_at_the_root(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / name).write_text(name)
    places = [Place(str(tmp_path / name), f"nix/store/{name}") for name in ("two", "one")]
    found = members(written(*places, plain=True))
    assert list(found) == [
        "nix", "nix/store", "nix/store/one", "nix/store/one/bin", "nix/store/one/bin/one",
        "nix/store/two", "nix/store/two/bin", "nix/store/two/bin/two",
    ]  # fmt: skip
    assert {entry.uid for entry in found.values()} == {0}


def test_the_order_on_disk_and_the_mask_do_not_matter(tmp_path: Path) -> None:
    names = [f"d{n % 7}/f{n}" for n in range(60)]
    written_trees = []
    for seed in (1, 2):
        tree = tmp_path / str(seed)
        random.Random(seed).shuffle(names)
        for name in names:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(name)
        for path in [*tree.rglob("*"), tree]:
            path.chmod(0o755)
            os.utime(path, (100, 100))
        written_trees.append(written(Place(str(tree))))
    assert written_trees[0] == written_trees[1]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_packed_bytes_and_their_digests(tmp_path: Path, compression: str) -> None:
    tree = tmp_path / "t"
    tree.mkdir()
    (tree / "f").write_bytes(random.Random(3).randbytes(1000) * 3000)
    for path in (tree / "f", tree):
        path.chmod(0o755)
        os.utime(path, (100, 100))
    layer = {
        "places": [[str(tree), ""]], "target": str(tmp_path / "packed"), "left_out": "",
        "latest": None, "plain": True, "compression": compression,
    }  # fmt: skip
    job = {"result": str(tmp_path / "result"), "layers": [layer]}
    (tmp_path / "job").write_text(json.dumps(job))
    main(str(tmp_path / "job"))
    (facts,) = json.loads((tmp_path / "result").read_bytes())
    packed = (tmp_path / "packed").read_bytes()
    assert hashlib.sha256(packed).hexdigest() == facts["digest"]
    assert len(packed) == facts["size"]
    if compression == "gzip":
        plain = gzip.decompress(packed)
        assert hashlib.sha256(plain).hexdigest() == facts["diff_id"]
        # The bytes are promised: another libdeflate that packs otherwise must be noticed.
        assert facts["digest"].startswith("4eaeb2caf054")


@pytest.mark.parametrize("tebibytes", [0, 1])
def test_files_that_are_mostly_holes_are_refused(tmp_path: Path, tebibytes: int) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 + (tebibytes << 40))
    entries = read_places([Place(str(tmp_path))])
    if not tebibytes:
        refuse_holes(entries)
        return
    with pytest.raises(OSError, match="are holes") as refused:
        refuse_holes(entries)
    assert refused.value.filename == "file"
