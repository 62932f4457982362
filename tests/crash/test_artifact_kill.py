"""SIGKILL while artifacts are kept: there is the old one or the new one, whole, or none."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest

from lapstrake.artifact.archives.pack import pack_archive
from lapstrake.artifact.cleaning.prune import prune
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.keeping.cache import ArtifactCache
from pythons import kill_workers

KEYS, FILES, ROUNDS = 2, 150, 9
WORKER = """
import random, sys
from pathlib import Path
from lapstrake.artifact.keeping.cache import ArtifactCache, BusyError
from lapstrake.artifact.identity import Identity

root, seed = Path(sys.argv[1]), int(sys.argv[2])
cache, chance = ArtifactCache(root / "cache"), random.Random(seed)
print("ready", flush=True)
while True:
    key = chance.randrange(2)
    identity = Identity(package="sys", host="portable", version="1.0",
                        checksum=f"{key:07}" + "A" * 57, suffix=".tar.gz")
    what = chance.random()
    try:
        if what < 0.6:
            cache.put_archive(identity, root / f"{chance.randrange(2)}.tar.gz", again=True)
        elif what < 0.75:
            cache.put_folder(identity, root / "built", link=True)
        elif what < 0.85:
            cache.put_folder(identity, root / "copied", again=True)
        else:
            cache.remove(identity.download_name)
    except BusyError:
        pass
"""


def identity(key: int) -> Identity:
    return Identity(
        package="sys", host="portable", version="1.0", checksum=f"{key:07}" + "A" * 57,
        suffix=".tar.gz",
    )  # fmt: skip


def fill(folder: Path, count: int = FILES) -> Path:
    """Files that are called what they hold."""
    for _ in range(count):
        data = os.urandom(500)
        file = folder / "deep" / hashlib.sha256(data).hexdigest()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


def check_whole(root: Path) -> int:
    """Every artifact that is found has all of its files."""
    cache, found = ArtifactCache(root / "cache"), 0
    for key in range(KEYS):
        path = cache.find(identity(key))
        if path is None:
            continue
        found += 1
        files = list((path / "deep").iterdir())
        assert len(files) == FILES
        assert all(hashlib.sha256(file.read_bytes()).hexdigest() == file.name for file in files)
    return found


@pytest.mark.parametrize("workers", [1, 3])
def test_killed_at_random_moments(tmp_path: Path, workers: int) -> None:
    chance, seen = random.Random(workers), 0
    for name in ("built", "copied"):
        fill(tmp_path / name)
    for number in range(2):
        tree = fill(tmp_path / f"tree{number}")
        pack_archive(tree, tmp_path / f"{number}.tar.gz", top="sys")
    cache = ArtifactCache(tmp_path / "cache")
    for round_ in range(ROUNDS // workers):
        seeds = range(round_ * 10, round_ * 10 + workers)
        kill_workers(WORKER, tmp_path, seeds=seeds, after=chance.uniform(0.0, 0.25))
        seen += check_whole(tmp_path)
        prune(cache, max_size=1 << 40)
        assert list((tmp_path / "cache/.lapstrake/work").iterdir()) == []
        for number in range(KEYS):  # nobody is stuck, and what is put now is there
            cache.put_archive(identity(number), tmp_path / f"{number}.tar.gz")
        assert check_whole(tmp_path) == KEYS
    assert seen > 0
