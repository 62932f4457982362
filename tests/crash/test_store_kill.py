"""SIGKILL at any moment: every layer is whole or not there, and the next run works."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lapstrake.formats.keys import cache_key
from lapstrake.layer.store import LayerStore
from pythons import kill_workers

KEYS = 4
FILES = 12
WORKER = f"""
import hashlib, os, random, sys
from pathlib import Path
from lapstrake.formats.keys import cache_key
from lapstrake.layer.store import LayerStore

store, chance = LayerStore(Path(sys.argv[1])), random.Random(int(sys.argv[2]))

def fill(tree):
    tree.mkdir()
    for number in range({FILES}):
        data = os.urandom(2000)
        (tree / hashlib.sha256(data).hexdigest()).write_bytes(data)

def fill_all(trees):
    for tree in trees.values():
        fill(tree)

wanted = {{cache_key("test", {{"n": str(number)}}): {{}} for number in range({KEYS})}}
print("ready", flush=True)
while True:
    name = str(chance.randrange({KEYS}))
    if chance.random() < 0.3:
        layers = store.make_all(wanted, kind="test", fill=fill_all)
        assert layers.keys() == wanted.keys()
    layer = store.make(cache_key("test", {{"n": name}}), kind="test", facts={{}}, fill=fill)
    what = chance.random()
    if what < 0.5:
        store.remove(layer)
    elif what < 0.6:
        store.collect(budget=0, keep=frozenset())
    elif what < 0.7:
        with store.workspace("work") as folder:
            (folder / "file").touch()
    else:
        try:
            with store.lease([layer]):
                pass
        except Exception as gone:
            assert "collected" in str(gone), gone
"""


def check_whole(store: LayerStore) -> int:
    """Every layer has all its files, and each file is what its name says."""
    count = 0
    for layer in store.layers():
        files = list(layer.tree.iterdir())
        assert len(files) == FILES
        for file in files:
            assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name
        count += 1
    folders = {path.name for path in (store.root / "layers").iterdir()}
    assert folders == {layer.key.hex for layer in store.layers()}
    return count


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_killed_at_random_moments(tmp_path: Path, workers: int) -> None:
    chance = random.Random(workers)
    seen = 0
    for round_ in range(12):
        seeds = range(round_ * 10, round_ * 10 + workers)
        kill_workers(WORKER, tmp_path, seeds=seeds, after=chance.uniform(0.0, 0.4))
        store = LayerStore(tmp_path)
        seen += check_whole(store)
        store.recover()
        for name in ("unfinished", "workspaces"):
            assert list((tmp_path / name).iterdir()) == []
        assert check_whole(store) == len(list(store.layers()))
    assert seen > 0


SLOW = """
import sys, time
from pathlib import Path
from lapstrake.formats.keys import cache_key
from lapstrake.host import files
from lapstrake.layer.store import LayerStore

store, where = LayerStore(Path(sys.argv[1])), sys.argv[2]

def pause(*_):
    print("here", flush=True)
    time.sleep(60)

def fill(tree):
    tree.mkdir()
    (tree / "one").write_text("1")
    if where == "fill":
        pause()
    (tree / "two").write_text("2")

make = lambda: store.make(cache_key("test", {"n": "a"}), kind="test", facts={}, fill=fill)
if where == "flush":
    files.sync_filesystem = pause
elif where == "published":
    sync = files.sync_folder
    files.sync_folder = lambda path: pause() if path.name == "layers" else sync(path)
layer = make()
if where == "removed":
    from lapstrake.host import owned
    owned.remove_owned = pause
store.remove(layer)
"""


@pytest.mark.parametrize(
    "where, there", [("fill", False), ("flush", False), ("published", True), ("removed", False)]
)
def test_killed_at_named_moments(tmp_path: Path, where: str, there: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path), where], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        store = LayerStore(tmp_path)
        assert store.recover() == 0  # it is alive: nothing of it may be touched
        process.send_signal(signal.SIGKILL)
    key = cache_key("test", {"n": "a"})
    assert (store.find(key) is not None) is there
    store.recover()
    for name in ("unfinished", "workspaces"):
        assert list((tmp_path / name).iterdir()) == []

    def fill(tree: Path) -> None:
        tree.mkdir()
        (tree / "two").write_text("2")

    layer = store.make(key, kind="test", facts={}, fill=fill)
    assert (layer.tree / "two").read_text() == "2"
    assert (layer.tree / "one").exists() is there
