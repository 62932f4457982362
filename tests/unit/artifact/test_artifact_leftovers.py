"""What getting and building leave besides artifacts, and what of it goes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from lapstrake.artifact.base import Origin, Package, PackageType
from lapstrake.artifact.cleaning.leftovers import builds_in
from lapstrake.artifact.cleaning.prune import besides, prune
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.identity import identify
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.artifact.keeping.entries import Kind
from lapstrake.artifact.manifest.fetched import fetched_folder, missing_packages
from lapstrake.config.model import CacheConfig, Config
from lapstrake.host.locks import locked
from lapstrake.source.cache import DownloadCache
from lapstrake.source.spec import SourceKind, SourceSpec

DAY = 86_400.0


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    cache = CacheConfig(download_dir=tmp_path / "dl")
    return Depot(config=Config(work_dir=tmp_path / "work", cache=cache), environment={})


def leave(file: Path, *, days: float) -> Path:
    """A file that was used some days ago; its folder likewise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(10_000))
    then = time.time() - days * DAY
    for path in (file, file.parent):
        os.utime(path, (then, then))
    return file


def test_what_was_downloaded(depot: Depot) -> None:
    assert besides(depot, downloads=True) == []
    url = "https://site.invalid/archive"
    old = leave(DownloadCache(depot.downloads).partial(url), days=3)
    new = leave(old.with_name("new.part"), days=0.5)
    package = leave(depot.packages / "gcc-0123456789ab/lapstrake.toml", days=2).parent
    leave(depot.packages / "gcc-ba9876543210/lapstrake.toml", days=0.5)
    (depot.packages / ".manifests").mkdir()

    def gone(**how: Any) -> list[str]:
        others = besides(depot, downloads=True)
        return [each.name for each in prune(ArtifactCache(depot.artifacts), others=others, **how)]

    assert gone(older_than=4 * DAY) == []
    with locked(depot.packages / ".lock", what="packages"):
        assert gone(older_than=DAY) == [old.name]
    assert package.is_dir()
    assert gone(max_size=0, keep=2) == []
    assert gone(max_size=0) == [package.name], "nobody knows whether those of today are in use"
    assert sorted(each.name for each in depot.packages.iterdir()) == [
        ".lock", ".manifests", "gcc-ba9876543210",
    ]  # fmt: skip
    assert list(old.parent.iterdir()) == [new]


def test_what_platforms_downloaded(depot: Depot, tmp_path: Path) -> None:
    old = leave(depot.downloads / "sources/gcc/gcc.tar.xz", days=3)
    leave(depot.downloads / "sources/make.tar.gz", days=3)
    leave(depot.downloads / "sources.gcc/a/b/new", days=0.5)
    outside = leave(tmp_path / "outside/file", days=3)
    (depot.downloads / "sources/link").symlink_to(outside.parent)
    os.utime(depot.downloads / "sources/link", (0, 0), follow_symlinks=False)
    others = besides(depot, downloads=True)
    assert {(each.kind, each.name) for each in others} == {
        (Kind.SOURCE, name)
        for name in ("sources/gcc", "sources/make.tar.gz", "sources/link", "sources.gcc/a")
    }
    assert max(others, key=lambda each: each.used).name == "sources.gcc/a"
    gone = prune(ArtifactCache(depot.artifacts), others=others, older_than=2 * DAY, keep=9)
    assert len(gone) == 3
    assert not old.parent.exists()
    assert outside.exists()
    assert (depot.downloads / "sources.gcc/a/b/new").exists()


def test_a_package_that_is_used_is_not_old(depot: Depot) -> None:
    spec = SourceSpec(kind=SourceKind.GIT, name="gcc", url="https://site.invalid/gcc", revision="1")
    leave(fetched_folder(spec, depot) / "lapstrake.toml", days=9)
    assert missing_packages([spec], depot) == []
    (entry,) = besides(depot, downloads=True)
    assert time.time() - entry.used < DAY


def test_where_fetched_packages_were_built(depot: Depot, tmp_path: Path) -> None:
    package = Package(
        name="gcc",
        type=PackageType.TOOLCHAIN,
        version="1.0",
        folder=tmp_path,
        origin=Origin.FETCHED,
    )
    folder = depot.build_folder(package, identify(package, "0" * 64, {}))
    leave(folder / "local/object", days=3)
    leave(folder / "build.log", days=3)
    (folder / "lock").touch()
    (entry,) = builds_in(depot.builds)
    assert (entry.kind, entry.package, entry.version) == (Kind.BUILD, "gcc", "1.0")
    assert entry.size >= 20_000
    cache = ArtifactCache(depot.artifacts)
    assert prune(cache, others=[entry], older_than=4 * DAY) == ()
    with locked(folder / "lock", what="the build"):
        assert prune(cache, others=[entry], older_than=DAY) == ()
    assert prune(cache, others=[entry], older_than=DAY) == (entry,)
    assert [each.name for each in folder.iterdir()] == ["lock"]
    assert builds_in(depot.builds) == []
