"""store du and gc as people run them, and a disk that is full."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crafted import ROOT, Member, tar
from lapstrake.baseos.current import current_base
from lapstrake.branch.room import collect_over_budget
from lapstrake.errors import StoreError
from lapstrake.formats.keys import cache_key
from lapstrake.layer.store import Layer, LayerStore
from lapstrake.place.kept import held_packages
from roots import open_work_dir, run_cli

MIB = 1 << 20


def stored(store: LayerStore, name: str, size: int, *, used: float = 1000.0) -> Layer:
    def fill(tree: Path) -> None:
        tree.mkdir()
        (tree / "file").write_bytes(os.urandom(size))

    layer = store.make(cache_key("test", {"n": name}), kind="dependencies", facts={}, fill=fill)
    os.utime(layer.tree.parent / "layer.json", (used, used))
    return layer


def asked(work_dir: Path, *words: str) -> dict[str, Any]:
    done = run_cli("store", *words, "--json", work_dir=work_dir)
    assert done.ok, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def du(*paths: Path) -> int:
    done = subprocess.run(
        ["du", "-s", "--block-size=1", *map(str, paths)], capture_output=True, text=True, check=True
    )
    return sum(int(line.split()[0]) for line in done.stdout.splitlines())


def test_du_counts_as_du_does(base_work_dir: Path) -> None:
    answer = asked(base_work_dir, "du")
    trees = list((base_work_dir / ".builder/store/layers").glob("*/tree"))
    assert answer["layers_bytes"] == sum(du(tree) for tree in trees)
    assert answer["layers"].keys() == {"base", "instance"}
    assert answer["held_bytes"] == answer["layers_bytes"]
    table = run_cli("store", "du", work_dir=base_work_dir)
    assert "all layers" in table.stdout


def test_gc_spares_what_branches_are_made_of(work_dir: Path) -> None:
    place = open_work_dir(work_dir)
    before = {layer.key for layer in place.store.layers()}
    spare = stored(place.store, "spare", MIB)
    would = asked(work_dir, "gc", "--budget=0", "--dry-run")
    assert place.store.find(spare.key)
    gone = asked(work_dir, "gc", "--budget=0")
    assert gone == would
    assert [row["key"] for row in gone["removed"]] == [spare.key.hex]
    assert gone["bytes"] == spare.size
    assert {layer.key for layer in place.store.layers()} == before
    assert asked(work_dir, "gc", "--budget=0")["removed"] == []


def test_gc_goes_by_use_down_to_the_budget(tmp_path: Path) -> None:
    store = open_work_dir(tmp_path).store
    layers = [stored(store, str(n), MIB, used=1000.0 + n) for n in range(4)]
    with store.lease([layers[0]]):  # counts as used now
        pass
    gone = asked(tmp_path, "gc", f"--budget={2 * layers[0].size}")
    assert [row["key"] for row in gone["removed"]] == [layers[1].key.hex, layers[2].key.hex]
    refused = run_cli("store", "gc", "--budget=much", work_dir=tmp_path)
    assert refused.status == 2
    assert "much" in refused.stderr


def test_the_configured_budget_is_kept_without_taking_what_is_new(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.toml").write_text('[cache]\nbudget = "1MiB"\n')
    place = open_work_dir(tmp_path)
    old = stored(place.store, "old", MIB)
    new = stored(place.store, "new", MIB, used=__import__("time").time())
    collect_over_budget(place)
    assert place.store.find(old.key) is None
    assert place.store.find(new.key) is not None


def test_package_files_take_a_tenth_of_the_budget(tmp_path: Path) -> None:
    place = open_work_dir(tmp_path)
    place.store.usage()
    with held_packages(place) as folder:
        for age in range(4):
            kept = folder / f"{age}.deb"
            kept.write_bytes(bytes(MIB))
            os.utime(kept, (1000.0 - age, 1000.0 - age))
        asked(tmp_path, "gc", "--budget=0")  # in use: all stay
        assert len(list(folder.iterdir())) == 4
    would = asked(tmp_path, "gc", "--budget=20MiB", "--dry-run")
    assert would == asked(tmp_path, "gc", "--budget=20MiB")
    assert would["package_files_bytes"] == 2 * MIB
    assert sorted(path.name for path in folder.iterdir()) == ["0.deb", "1.deb"]
    assert (
        "2 package files removed" in run_cli("store", "gc", "--budget=0", work_dir=tmp_path).stderr
    )
    assert not list(folder.iterdir())


def test_leftovers_of_killed_runs_go_with_gc(tmp_path: Path) -> None:
    store = open_work_dir(tmp_path).store
    (store.root / "unfinished/base-1-dead/tree").mkdir(parents=True)
    done = run_cli("store", "gc", work_dir=tmp_path)
    assert "1 leftovers" in done.stderr
    assert not list((store.root / "unfinished").iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)])
    if mounted.returncode != 0:
        pytest.skip("needs to mount a tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_harms_nothing(small_disk: Path, tmp_path: Path) -> None:
    small, large = tmp_path / "small.tar", tmp_path / "large.tar"
    small.write_bytes(tar((*ROOT, Member(name="etc/a", content=b"x" * MIB))))
    large.write_bytes(tar((*ROOT, Member(name="etc/a", content=bytes(40 * MIB)))))
    assert run_cli("load-baseos", str(small), work_dir=small_disk).ok
    before = current_base(open_work_dir(small_disk)).key
    full = run_cli("load-baseos", str(large), work_dir=small_disk)
    assert full.status == StoreError.exit_code, full.stderr
    assert "full" in full.stderr
    assert "store gc" in full.stderr
    assert "Traceback" not in full.stderr
    place = open_work_dir(small_disk)
    assert current_base(place).key == before
    assert len(list(place.store.layers())) == 1
    for name in ("unfinished", "workspaces"):
        assert list((place.store.root / name).iterdir()) == []
    small.write_bytes(tar((*ROOT, Member(name="etc/b", content=b"y" * MIB))))
    assert run_cli("load-baseos", str(small), work_dir=small_disk).ok


def test_an_entirely_full_disk_is_told(small_disk: Path, tmp_path: Path) -> None:
    archive = tmp_path / "small.tar"
    archive.write_bytes(tar(ROOT))
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(bytes(MIB))
        except OSError:
            pass
    full = run_cli("load-baseos", str(archive), work_dir=small_disk)
    assert full.status == StoreError.exit_code, full.stderr
    filler.unlink()
    assert run_cli("load-baseos", str(archive), work_dir=small_disk).ok
