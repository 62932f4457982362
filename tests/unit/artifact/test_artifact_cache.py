"""Artifacts that are kept: found by their inputs, put in one step, removed when nobody cares."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_sites import archive_of
from lapstrake.artifact.archives.plain import BadArchiveError
from lapstrake.artifact.base import Origin, Package, PackageType, Project
from lapstrake.artifact.cleaning.prune import choose_old, prune
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.inputs.checksum import read_inputs
from lapstrake.artifact.keeping.cache import ArtifactCache, BusyError
from lapstrake.artifact.keeping.entries import Entry, Kind
from lapstrake.artifact.keeping.status import Status, Where, status_of
from lapstrake.config.model import ArtifactsConfig, CacheConfig, Config
from lapstrake.errors import ArtifactError, StoreError
from roots import Completed, run_cli
from trouble import small_disk

ONE = Identity(
    package="sys", host="portable", version="1.0", checksum="0123ABC" + "0" * 57, suffix=".tar.gz"
)
TWO = replace(ONE, checksum="89ABCDE" + "1" * 57)


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache(tmp_path / "cache")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What a build left."""
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "hello").write_text("built\n")
    return folder


def archive(tmp_path: Path, content: bytes = b"hello\n") -> Path:
    file = tmp_path / f"{content[:20].hex()}.tar.gz"
    file.write_bytes(archive_of(ONE, content))
    return file


def nerves(cache: ArtifactCache, identity: Identity, *, link: Path | None = None) -> Path:
    """An artifact as Nerves puts it."""
    place = cache.root / identity.name
    cache.root.mkdir(exist_ok=True)
    if link:
        place.symlink_to(link)
    else:
        place.mkdir()
    (place / "CHECKSUM").write_text(f"  {identity.checksum}\n\n")
    return place


def age(cache: ArtifactCache, name: str, seconds: float) -> None:
    record = cache.root / ".lapstrake/records" / name
    then = record.stat().st_mtime - seconds
    os.utime(record, (then, then))


def test_branches_with_one_version_keep_their_own(cache: ArtifactCache, tmp_path: Path) -> None:
    first = cache.put_archive(ONE, archive(tmp_path, b"one"))
    second = cache.put_archive(TWO, archive(tmp_path, b"two"))
    assert (cache.find(ONE), cache.find(TWO)) == (first, second)
    assert first.name == "sys-portable-1.0-0123ABC"
    assert (first / "CHECKSUM").read_text() == f"{ONE.checksum}\n"
    assert [(path / "hello").read_text() for path in (first, second)] == ["one", "two"]
    assert cache.find(replace(ONE, checksum="0123ABC" + "9" * 57)) is None


@pytest.mark.parametrize("content", ["", "E3B0", "\x00\xff", None])
def test_a_damaged_checksum_is_no_artifact(
    cache: ArtifactCache, tmp_path: Path, content: str | None
) -> None:
    file = cache.put_archive(ONE, archive(tmp_path)) / "CHECKSUM"
    file.unlink()
    if content is None:
        os.mkfifo(file)
    else:
        file.write_text(content)
    assert cache.find(ONE) is None
    assert cache.put_archive(ONE, archive(tmp_path)) == cache.find(ONE)


def test_what_nerves_put_is_used_and_never_touched(
    cache: ArtifactCache, tmp_path: Path, build: Path
) -> None:
    place = nerves(cache, ONE)
    assert cache.find(ONE) == place
    assert cache.put_archive(ONE, tmp_path / "not asked for") == place
    assert cache.find(TWO) is None
    two = cache.put_archive(TWO, archive(tmp_path))
    linked = nerves(cache, replace(ONE, version="2.0"), link=build)
    assert cache.find(replace(ONE, version="2.0")) == linked
    assert [(entry.name, entry.foreign) for entry in cache.entries()] == [
        (place.name, True), (two.name, False), (linked.name, True),
    ]  # fmt: skip
    assert [entry.name for entry in prune(cache, max_size=0, older_than=0)] == [two.name]
    assert place.is_dir()
    assert linked.is_symlink()


def test_a_bad_archive_leaves_what_was_there(cache: ArtifactCache, tmp_path: Path) -> None:
    kept = cache.put_archive(ONE, archive(tmp_path))
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(archive_of(ONE)[:-5])
    with pytest.raises(BadArchiveError):
        cache.put_archive(ONE, bad, again=True)
    with pytest.raises(BadArchiveError):
        cache.put_archive(TWO, bad)
    assert cache.find(ONE) == kept
    assert (kept / "hello").read_text() == "hello\n"
    assert [entry.name for entry in cache.entries()] == [kept.name]
    assert list((cache.root / ".lapstrake/work").iterdir()) == []


def test_a_folder_is_copied_or_linked(cache: ArtifactCache, build: Path, tmp_path: Path) -> None:
    copy = cache.put_folder(ONE, build)
    assert not copy.is_symlink()
    assert not (build / "CHECKSUM").exists()
    link = cache.put_folder(TWO, build, link=True)
    assert link.readlink() == build
    assert (build / "CHECKSUM").read_text().strip() == TWO.checksum
    # A folder becomes a link and a link a folder; the build stays.
    assert cache.put_folder(ONE, build, link=True).is_symlink()
    assert cache.find(TWO) is None
    again = cache.put_archive(ONE, archive(tmp_path), again=True)
    assert not again.is_symlink()
    assert (build / "hello").read_text() == "built\n"
    assert cache.remove(TWO.download_name)
    assert not cache.remove(TWO.download_name)
    assert (build / "hello").exists()


def test_an_artifact_that_is_in_its_place_stays(cache: ArtifactCache, tmp_path: Path) -> None:
    """Nerves deleted the build and left a link to itself."""
    place = cache.root / ONE.download_name
    place.mkdir(parents=True)
    (place / "hello").write_text("built here")
    (tmp_path / "other").symlink_to(cache.root)
    for folder in (place, tmp_path / "other" / place.name):
        for link in (True, False):
            assert cache.put_folder(ONE, folder, link=link) == folder
    assert cache.find(ONE) == place
    assert not place.is_symlink()
    assert (place / "hello").read_text() == "built here"


@pytest.mark.parametrize("link", [True, False])
def test_folders_within_each_other_are_refused(tmp_path: Path, build: Path, link: bool) -> None:
    cache = ArtifactCache(build / "artifacts")
    inner = cache.root / ONE.download_name / "build"
    inner.mkdir(parents=True)
    for folder in (build, inner):
        with pytest.raises(ArtifactError, match="one of the two is in the other"):
            cache.put_folder(ONE, folder, link=link)
    with pytest.raises(ArtifactError, match="is no folder"):
        cache.put_folder(ONE, tmp_path / "missing", link=link)
    assert inner.is_dir()


def test_what_is_used_is_neither_removed_nor_replaced(cache: ArtifactCache, tmp_path: Path) -> None:
    kept = cache.put_archive(ONE, archive(tmp_path))
    with cache.use(ONE), cache.use(ONE):
        assert prune(cache, older_than=0) == ()
        for change in (
            lambda: cache.remove(ONE.download_name),
            lambda: cache.put_archive(ONE, archive(tmp_path), again=True),
            lambda: cache.check_unused(ONE),
        ):
            with pytest.raises(BusyError, match=f"in use by process {os.getpid()}"):
                change()
        assert cache.put_archive(ONE, archive(tmp_path)) == kept
    cache.check_unused(ONE)
    assert len(prune(cache, older_than=0)) == 1
    assert cache.entries() == ()


def test_two_puts_at_once_are_one(tmp_path: Path) -> None:
    waits: list[str] = []
    cache = ArtifactCache(tmp_path / "cache", on_wait=waits.append)
    seen: list[int] = []
    file = archive(tmp_path)

    def put() -> None:
        path = cache.put_archive(ONE, file)
        seen.append((path / "hello").stat().st_ino)

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len(set(seen)) == 1
    assert all("sys-portable-1.0-0123ABC" in wait for wait in waits)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    large = archive(tmp_path, os.urandom(1 << 20))
    with small_disk(tmp_path / "small", "900k", kind="tmpfs") as disk:
        cache = ArtifactCache(disk)
        kept = cache.put_archive(ONE, archive(tmp_path))
        for again in (ONE, TWO):
            with pytest.raises(StoreError, match="No space left"):
                cache.put_archive(again, large, again=True)
        assert cache.find(ONE) == kept
        assert (kept / "hello").read_text() == "hello\n"
        assert list((disk / ".lapstrake/work").iterdir()) == []


DAY = 86_400.0
NOW = 100 * DAY
UNLOCKED = (Kind.PARTIAL, Kind.SOURCE, Kind.PACKAGE)
ENTRIES = st.lists(
    st.builds(
        Entry,
        name=st.integers(0, 9).map(str),
        path=st.just(Path("/p")),
        package=st.sampled_from(["a", "b"]),
        size=st.integers(0, 50),
        used=st.integers(0, 100).map(lambda day: day * DAY),
        foreign=st.booleans(),
        kind=st.sampled_from(Kind),
        lost=st.booleans(),
    ),
    unique_by=lambda entry: entry.name,
)


@given(
    entries=ENTRIES,
    older_than=st.none() | st.integers(0, 100).map(lambda day: day * DAY),
    max_size=st.none() | st.integers(0, 200),
    keep=st.integers(0, 3),
    names=st.sets(st.integers(0, 9).map(str), max_size=2),
)
def test_what_goes_and_what_stays(
    entries: list[Entry],
    older_than: float | None,
    max_size: int | None,
    keep: int,
    names: set[str],
) -> None:
    gone = choose_old(
        entries, now=NOW, older_than=older_than, max_size=max_size, keep=keep, names=names
    )
    assert [each.used for each in gone] == sorted(each.used for each in gone)
    left = [each for each in entries if each not in gone and not each.foreign]
    for each in gone:
        assert not each.foreign
        assert each.name not in names
        assert each.kind not in UNLOCKED or NOW - each.used >= DAY
        group = [
            other for other in left if (other.package, other.kind) == (each.package, each.kind)
        ]
        if not each.lost and each.kind not in (Kind.PARTIAL, Kind.SOURCE):
            assert sum(other.used >= each.used for other in group) >= keep
    free = [
        each
        for each in left
        if each.name not in names and (each.kind not in UNLOCKED or NOW - each.used >= DAY)
    ]
    assert not [each for each in free if each.lost]
    if older_than is not None and keep == 0:
        assert not [each for each in free if NOW - each.used > older_than]
    if max_size is not None and keep == 0:
        assert sum(each.size for each in left) <= max_size or not [e for e in free if e.size]
    if older_than is None and max_size is None:
        assert all(each.lost for each in gone)
    elif older_than is None and keep == 0:
        newest_gone = max((each.used for each in gone if not each.lost), default=-1.0)
        assert all(each.used >= newest_gone for each in free if each.size)


def test_links_that_lead_nowhere_go(cache: ArtifactCache, build: Path) -> None:
    cache.put_folder(ONE, build, link=True)
    assert prune(cache, older_than=1e6) == ()
    shutil.rmtree(build)
    assert [entry.link for entry in prune(cache, older_than=1e6)] == [build]


@dataclass
class Place:
    """A package and a depot."""

    folder: Path
    environment: dict[str, str]

    @property
    def depot(self) -> Depot:
        config = Config(
            work_dir=self.folder / "work",
            cache=CacheConfig(download_dir=self.folder / "dl"),
            artifacts=ArtifactsConfig(folder=self.folder / "cache"),
        )
        return Depot(config=config, environment=self.environment)

    def package(self, type_: PackageType = PackageType.SYSTEM, version: str = "1.0") -> Package:
        return Package(
            name="sys", type=type_, version=version, folder=self.folder / "pkg",
            origin=Origin.PROJECT, checksum=("*",),
        )  # fmt: skip

    def status(self, package: Package | None = None) -> Status:
        package = package or self.package()
        project = Project(name="p", version="1", folder=self.folder, packages=(package,))
        return status_of(project, package, self.depot)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "dl").mkdir()
    (tmp_path / "pkg/defconfig").write_text("BR2_x=y\n")
    return Place(folder=tmp_path, environment={"NERVES_SYSTEM": ""})


def test_where_an_artifact_is(place: Place, tmp_path: Path) -> None:
    status = place.status()
    assert (status.where, status.path, status.stale) == (Where.NOTHING, None, True)
    assert status.reason == "nothing of sys is kept here (52C611E is wanted)"
    identity = status.identity

    download = tmp_path / "dl" / f"{identity.download_name}.tar.zst"
    shutil.copy(archive(tmp_path), download)
    status = place.status()
    assert (status.where, status.path, status.stale) == (Where.DOWNLOADED, download, False)

    build = place.depot.build_folder(place.package(), identity)
    build.mkdir(parents=True)
    (build / "CHECKSUM").write_text(identity.checksum)
    status = place.status()
    assert (status.where, status.path) == (Where.KEPT, build)

    cache = ArtifactCache(place.depot.artifacts)
    kept = cache.put_archive(identity, download, inputs=status.inputs)
    status = place.status()
    assert (status.where, status.path, status.stale) == (Where.KEPT, kept, False)


def test_why_an_artifact_is_stale(place: Place, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / "pkg" / name).write_text(name)
    status = place.status()
    cache = ArtifactCache(place.depot.artifacts)
    cache.put_archive(status.identity, archive(tmp_path), inputs=status.inputs)
    for name in ("a", "c"):
        (tmp_path / "pkg" / name).write_text("changed")
    (tmp_path / "pkg/b").unlink()
    (tmp_path / "pkg/new").write_text("")
    now = place.status()
    assert now.stale
    assert now.kept == status.identity.download_name
    assert now.changed == ("a", "b", "c", "new")
    wanted = f"{status.identity.checksum[:7]} is kept, {now.identity.checksum[:7]} is wanted"
    assert now.reason == f"{wanted}: a, b, c and 1 more changed"
    other = place.status(place.package(version="2.0"))
    assert other.reason.startswith("1.0 is kept, 2.0 is wanted")


def test_variables_that_name_an_artifact(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    place.environment["NERVES_SYSTEM"] = str(folder)
    status = place.status()
    assert (status.where, status.path, status.stale) == (Where.OVERRIDE, folder, False)
    place.environment["NERVES_SYSTEM"] = str(archive(tmp_path, b"overridden"))
    unpacked = place.status().path
    assert unpacked is not None
    assert (unpacked / "hello").read_text() == "overridden"
    assert place.status().path == unpacked
    archive(tmp_path, b"overridden").write_bytes(archive_of(ONE, b"changed"))
    changed = place.status().path
    assert changed is not None
    assert (changed / "hello").read_text() == "changed"
    for wrong in (tmp_path / "missing", Path("/dev/null")):
        place.environment["NERVES_SYSTEM"] = str(wrong)
        with pytest.raises(ArtifactError, match=f"NERVES_SYSTEM is set to {wrong}"):
            place.status()
    place.environment["NERVES_SYSTEM"] = str(tmp_path / "pkg/defconfig")
    with pytest.raises(BadArchiveError, match=r"^NERVES_SYSTEM: .*defconfig"):
        place.status()
    with pytest.raises(ArtifactError, match="has no artifact"):
        place.status(place.package(PackageType.SYSTEM_PLATFORM))


def test_ls_and_prune(place: Place, tmp_path: Path) -> None:
    cache = ArtifactCache(place.depot.artifacts)
    for number, identity in enumerate((ONE, TWO)):
        cache.put_archive(identity, archive(tmp_path), inputs=read_inputs(place.package()))
        age(cache, identity.download_name, number * 100_000)
    download = tmp_path / "dl" / f"{ONE.download_name}.tar.gz"
    shutil.copy(archive(tmp_path), download)
    os.utime(download, (1_000_000_000, 1_000_000_000))
    (tmp_path / "dl/other.tar.gz").touch()

    def run(*words: str) -> Completed:
        return run_cli(
            "artifact", *words, work_dir=tmp_path, LAPSTRAKE_DL_DIR=str(tmp_path / "dl"),
            NERVES_ARTIFACTS_DIR=str(place.depot.artifacts),
        )  # fmt: skip

    def cli(*words: str) -> str:
        done = run(*words)
        assert done.ok, done.stderr
        return done.stdout

    listed = cli("ls", "--downloads").splitlines()
    assert [line.split()[3] for line in listed] == ["CHECKSUM", "0123ABC", "89ABCDE", "0123ABC"]
    assert "1 d ago" in listed[2]
    assert json.loads(cli("prune", "--json"))["removed"] == []
    planned = json.loads(cli("prune", "--older-than", "1d", "--downloads", "--dry-run", "--json"))
    assert [each["kind"] for each in planned["removed"]] == ["archive", "artifact"]
    assert json.loads(cli("prune", "--older-than", "1d", "--keep", "2", "--json"))["bytes"] == 0
    assert download.exists()
    cli("prune", "--older-than", "1d", "--downloads")
    assert [each["name"] for each in json.loads(cli("ls", "--json"))] == [ONE.download_name]
    assert sorted(path.name for path in (tmp_path / "dl").iterdir()) == ["other.tar.gz"]
    wrong = run("prune", "--max-size", "much")
    assert wrong.status == 2
    assert "--max-size: 'much'" in wrong.stderr
