"""The layer store: one maker for each key, leases against collection, recovery."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.errors import BranchError, Interrupted, StoreError
from lapstrake.formats.keys import cache_key
from lapstrake.layer import store as store_module
from lapstrake.layer.store import Layer, LayerStore
from lapstrake.names import CacheKey

KIB = 1024


def key_of(name: str) -> CacheKey:
    return cache_key("test", {"name": name})


def fill_with(size: int, *, name: str = "file") -> Callable[[Path], None]:
    def fill(tree: Path) -> None:
        tree.mkdir()
        (tree / name).write_bytes(b"x" * size)

    return fill


def make(store: LayerStore, name: str, size: int = 4 * KIB, *, used: float | None = None) -> Layer:
    layer = store.make(key_of(name), kind="test", facts={"name": name}, fill=fill_with(size))
    if used is not None:
        os.utime(layer.tree.parent / "layer.json", (used, used))
    found = store.find(layer.key)
    assert found is not None
    return found


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    return LayerStore(tmp_path / "store")


@contextmanager
def leased_elsewhere(store: LayerStore, layer: Layer) -> Iterator[None]:
    """Another process holds a lease."""
    script = (
        "import sys; from pathlib import Path; from lapstrake.layer.store import LayerStore;"
        "from lapstrake.names import CacheKey\n"
        "store = LayerStore(Path(sys.argv[1])); layer = store.find(CacheKey(sys.argv[2]))\n"
        "with store.lease([layer]):\n    print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", script, str(store.root), layer.key.hex]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            process.stdin.close()


def leftovers(store: LayerStore) -> list[str]:
    return [
        entry.name
        for name in ("unfinished", "workspaces")
        for entry in (store.root / name).iterdir()
    ]


def test_a_layer_is_made_once_and_found(store: LayerStore) -> None:
    calls = []

    def fill(tree: Path) -> None:
        calls.append(tree)
        tree.mkdir()
        (tree / "a").write_text("content")

    first = store.make(key_of("a"), kind="test", facts={"from": "b"}, fill=fill)
    second = store.make(key_of("a"), kind="test", facts={"from": "b"}, fill=fill)
    assert first.tree == second.tree
    assert len(calls) == 1
    assert (first.tree / "a").read_text() == "content"
    assert first.facts == {"from": "b"}
    assert [layer.key for layer in store.layers()] == [first.key]
    assert leftovers(store) == []


def test_a_layer_that_cannot_be_filled_leaves_nothing(store: LayerStore) -> None:
    def fill(tree: Path) -> None:
        tree.mkdir()
        (tree / "a").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.make(key_of("a"), kind="test", facts={}, fill=fill)
    assert store.find(key_of("a")) is None
    assert leftovers(store) == []
    assert make(store, "a").tree.is_dir()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_the_disk_refuses_is_told(store: LayerStore, number: int) -> None:
    def fill(tree: Path) -> None:
        raise OSError(number, os.strerror(number), str(tree))

    with pytest.raises(StoreError, match=os.strerror(number)) as caught:
        store.make(key_of("a"), kind="test", facts={}, fill=fill)
    assert caught.value.resolution
    assert leftovers(store) == []


def test_a_full_disk_inside_a_root_is_the_stores_error(store: LayerStore) -> None:
    def fill(tree: Path) -> None:
        raise BranchError("apt failed", details="cp: cannot write: No space left on device")

    with pytest.raises(StoreError, match="full: apt failed") as caught:
        store.make(key_of("a"), kind="test", facts={}, fill=fill)
    assert "store gc" in caught.value.resolution


def test_other_errors_and_interruptions_pass_unchanged(store: LayerStore) -> None:
    errors: list[BaseException] = [BranchError("no", details="other"), Interrupted(15)]
    for error in errors:

        def fill(tree: Path, error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            store.make(key_of("a"), kind="test", facts={}, fill=fill)
        assert caught.value is error
        assert leftovers(store) == []


def test_many_makers_make_one_layer(store: LayerStore) -> None:
    entered, barrier = [], threading.Barrier(8)
    found: list[Layer] = []

    def fill(tree: Path) -> None:
        entered.append(tree)
        fill_with(KIB)(tree)

    def work() -> None:
        barrier.wait()
        found.append(store.make(key_of("a"), kind="test", facts={}, fill=fill))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 1
    assert len(found) == 8
    assert {layer.key for layer in found} == {key_of("a")}


def test_a_waiting_maker_is_told_and_a_failed_one_is_replaced(store: LayerStore) -> None:
    began, told, results = threading.Event(), threading.Event(), []

    def failing(tree: Path) -> None:
        began.set()
        assert told.wait(30)
        raise RuntimeError("first one fails")

    def first() -> None:
        with pytest.raises(RuntimeError):
            store.make(key_of("a"), kind="test", facts={}, fill=failing)

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(30)
    lines: list[str] = []

    def on_wait(line: str) -> None:
        lines.append(line)
        told.set()

    results.append(
        store.make(key_of("a"), kind="test", facts={}, fill=fill_with(1), on_wait=on_wait)
    )
    thread.join()
    assert len(lines) == 1
    assert key_of("a").short in lines[0]
    assert results[0].tree.is_dir()


def test_leased_layers_are_never_removed(store: LayerStore) -> None:
    layer = make(store, "a")
    with leased_elsewhere(store, layer):
        assert store.remove(layer) is False
        assert store.collect(budget=0, keep=frozenset()) == ()
        with pytest.raises(StoreError, match="in use by process"):
            store.require_unused(layer)
        assert layer.tree.is_dir()
    assert store.remove(layer) is True
    assert store.find(layer.key) is None


def test_a_lease_on_a_collected_layer_is_refused(store: LayerStore) -> None:
    layer = make(store, "a")
    assert store.remove(layer)
    with pytest.raises(StoreError, match="collected"), store.lease([layer]):
        pytest.fail("entered")


def test_two_leases_at_a_time_and_use_is_counted(store: LayerStore) -> None:
    layer = make(store, "a", used=1000.0)
    with store.lease([layer]) as one, store.lease([layer]) as two:
        assert one.trees == two.trees == (layer.tree,)
    again = store.find(layer.key)
    assert again is not None
    assert again.used > 1000.0


def test_the_ones_used_longest_ago_go_first(store: LayerStore) -> None:
    layers = [make(store, str(number), 64 * KIB, used=1000.0 + number) for number in (3, 1, 2, 0)]
    by_use = sorted(layers, key=lambda layer: layer.used)
    budget = sum(layer.size for layer in by_use[2:])
    would = store.collect(budget=budget, keep=frozenset(), dry_run=True)
    assert len(list(store.layers())) == 4
    gone = store.collect(budget=budget, keep=frozenset())
    assert [layer.key for layer in gone] == [layer.key for layer in by_use[:2]]
    assert would == gone


def test_what_was_used_just_now_can_be_spared(store: LayerStore) -> None:
    old, new = make(store, "old", used=1000.0), make(store, "new")
    assert store.collect(budget=0, keep=frozenset(), idle=60) == (old,)
    assert store.find(new.key) is not None


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 40 * KIB), min_size=1, max_size=6),
    kept=st.sets(st.integers(0, 5)),
    share=st.floats(0, 1.2),
)
def test_collection_fits_the_budget_or_took_all_it_may(
    sizes: list[int], kept: set[int], share: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LayerStore(Path(folder))
        layers = [make(store, str(n), size, used=1000.0 + n) for n, size in enumerate(sizes)]
        keep = frozenset(layer.key for n, layer in enumerate(layers) if n in kept)
        budget = int(sum(layer.size for layer in layers) * share)
        gone = store.collect(budget=budget, keep=keep)
        left = {layer.key: layer for layer in store.layers()}
        assert keep <= left.keys()
        assert {layer.key for layer in gone} | left.keys() == {layer.key for layer in layers}
        rest = sum(layer.size for layer in left.values())
        assert rest <= budget or left.keys() <= keep
        if gone:  # none too many: with the last one back, it would not fit
            assert rest + gone[-1].size > budget
        assert leftovers(store) == []


@settings(max_examples=15)
@given(names=st.lists(st.sampled_from("abc"), min_size=2, max_size=8), data=st.data())
def test_makers_leases_and_collection_at_once(names: list[str], data: st.DataObject) -> None:
    """Whoever has a lease sees a whole layer, whatever is collected meanwhile."""
    collects = data.draw(st.integers(1, 4))
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        store = LayerStore(Path(folder))

        def use(name: str) -> None:
            layer = store.make(key_of(name), kind="test", facts={}, fill=fill_with(9, name=name))
            try:
                with store.lease([layer]) as stack:
                    if (stack.trees[0] / name).read_bytes() != b"x" * 9:
                        wrong.append(name)
            except StoreError as lost:
                if "collected" not in lost.brief:
                    wrong.append(lost.brief)

        def sweep() -> None:
            for _ in range(collects):
                store.collect(budget=0, keep=frozenset())

        threads = [threading.Thread(target=use, args=(name,)) for name in names]
        threads.append(threading.Thread(target=sweep))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert leftovers(store) == []


def test_recovery_takes_only_what_the_dead_left(store: LayerStore) -> None:
    (store.root / "unfinished" / "base-1-dead" / "tree").mkdir(parents=True)
    (store.root / "unfinished" / "base-1-dead.lock").touch()
    (store.root / "workspaces" / "build-2-dead").mkdir()
    with store.workspace("alive") as mine:
        assert store.recover() == 2
        assert mine.is_dir()
        assert sorted(leftovers(store)) == sorted([mine.name, f"{mine.name}.lock"])
    assert store.recover() == 0
    assert leftovers(store) == []


def test_sizes_are_those_of_du(store: LayerStore) -> None:
    def fill(tree: Path) -> None:
        (tree / "folder").mkdir(parents=True)
        (tree / "folder" / "file").write_bytes(b"x" * 100_000)
        os.link(tree / "folder" / "file", tree / "second name")
        (tree / "sparse").touch()
        os.truncate(tree / "sparse", 10_000_000)
        (tree / "link").symlink_to("folder")

    layer = store.make(key_of("a"), kind="test", facts={}, fill=fill)
    counted = subprocess.run(
        ["du", "-s", "--block-size=1", str(layer.tree)], capture_output=True, text=True, check=True
    )
    assert layer.size == int(counted.stdout.split()[0])
    assert store.usage().layers == {"test": (layer.size, 1)}


def test_a_damaged_record_is_told_with_its_folder(store: LayerStore) -> None:
    layer = make(store, "a")
    (layer.tree.parent / "layer.json").write_text("{")
    with pytest.raises(StoreError, match="damaged") as caught:
        store.find(layer.key)
    assert str(layer.tree.parent) in caught.value.resolution


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        LayerStore(tmp_path / "file" / "store")


def test_what_is_mounted_in_a_dead_runs_folder_is_unmounted(tmp_path: Path) -> None:
    """And nothing of it is removed: it may be anybody's."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount something")
    store = LayerStore(tmp_path / "store")
    stuck, other = (store.root / store_module._HALF_MADE[0] / name for name in ("a", "b"))
    for folder in (stuck / "mounted", other):
        folder.mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path; from lapstrake.layer.store import LayerStore\n"
        "print(LayerStore(Path(sys.argv[1])).recover())"
    )
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").touch()
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    words = ("unshare", "-m", "sh", "-c", script, "sh", theirs, stuck / "mounted")
    recover = (sys.executable, "-c", code, store.root)
    done = subprocess.run([*words, *recover], capture_output=True, text=True, check=False)
    assert done.stdout == "2\n", done.stderr
    assert not other.exists()
    assert not stuck.exists()
    assert (theirs / "file").exists()
