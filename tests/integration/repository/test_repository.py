"""Publishing: collisions, pruning, hand work, several at once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lapstrake.errors import PackError, PublishError, StoreError
from lapstrake.host.files import remove_tree
from lapstrake.repository.flat import Repository
from lapstrake.repository.generation import EMPTY

if TYPE_CHECKING:
    from .conftest import MakeDeb, MakeRepository

SOURCE = Path(__file__).resolve().parents[3] / "src"


def listed(repository: Repository) -> list[str]:
    return [f"{entry.package} {entry.version}" for entry in repository.packages()]


def test_before_the_first_publication_it_is_empty(make_repository: MakeRepository) -> None:
    repository = make_repository()
    assert repository.packages() == ()
    assert repository.find("hello") == ()
    assert repository.state() == EMPTY
    with pytest.raises(PublishError, match="no key yet"):
        repository.sources_text("file:/x")
    assert not repository.path.exists()


def test_publish_tells_what_it_did(make_deb: MakeDeb, make_repository: MakeRepository) -> None:
    repository = make_repository()
    file = make_deb("hello")
    (first,) = repository.publish([file], "b1")
    assert (first.action, first.path) == ("added", repository.path / "hello_1.0_all.deb")
    assert first.path.read_bytes() == file.read_bytes()
    assert first.digest.hex == hashlib.sha256(file.read_bytes()).hexdigest()
    (entry,) = repository.find("hello")
    assert (entry.build, entry.location, entry.size) == ("b1", "./hello_1.0_all.deb", first.size)
    assert repository.verify() == ()
    state, stamp = repository.state(), (repository.path / "InRelease").stat().st_mtime_ns
    (again,) = repository.publish([file], "b2")
    assert again.action == "kept"
    assert repository.state() == state
    assert (repository.path / "InRelease").stat().st_mtime_ns == stamp


def test_the_same_packages_give_the_same_state(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    files = [make_deb(name) for name in ("a", "b", "c")]
    one, two = make_repository("one"), make_repository("two")
    one.publish(files)
    for file in reversed(files):
        two.publish([file])
    assert one.state() == two.state() != EMPTY


def test_other_bytes_replace_only_when_allowed(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello")], "b1")
    state = repository.state()
    rebuilt, new = make_deb("hello", content="rebuilt"), make_deb("new")
    with pytest.raises(PublishError, match="other bytes"):
        repository.publish([new, rebuilt], replace=False)
    assert repository.state() == state
    assert not (repository.path / "new_1.0_all.deb").exists()
    (result,) = repository.publish([rebuilt], "b2")
    assert (result.action, result.reason) == (
        "replaced",
        "hello 1.0 is published with other bytes (build b1)",
    )
    second = rebuilt.read_bytes()
    assert result.path.read_bytes() == second
    assert repository.verify() == ()
    repository.publish([make_deb("hello")])  # and back to the first bytes
    assert b"rebuilt" in second
    assert b"rebuilt" not in result.path.read_bytes()
    assert repository.verify() == ()


def test_one_version_under_two_file_names_is_one_package(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello")])
    other = make_deb("hello", content="again", file_name="hello_1.0-0_noarch.deb")
    (result,) = repository.publish([other])
    assert result.action == "replaced"
    assert not (repository.path / "hello_1.0_all.deb").exists()
    assert listed(repository) == ["hello 1.0"]
    assert repository.verify() == ()


def test_versions_that_differ_in_the_epoch_share_a_file_name(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello", "1.0")])
    with pytest.raises(PublishError, match=r"its file name is that of hello 1\.0"):
        repository.publish([make_deb("hello", "1:1.0")], replace=False)
    repository.publish([make_deb("hello", "1:1.0")])
    assert listed(repository) == ["hello 1:1.0"]
    assert repository.verify() == ()


def test_refuses_what_is_no_package_and_publishes_nothing(
    make_deb: MakeDeb, make_repository: MakeRepository, tmp_path: Path
) -> None:
    repository = make_repository()
    bad = tmp_path / "bad_1_all.deb"
    bad.write_bytes(b"!<arch>\nrubbish")
    with pytest.raises(PackError, match=r"bad_1_all\.deb"):
        repository.publish([make_deb("good"), bad])
    with pytest.raises(PublishError, match="twice"):
        repository.publish([make_deb("good"), make_deb("good", file_name="good_1-0_all.deb")])
    with pytest.raises(PublishError, match="cannot name a build"):
        repository.publish([make_deb("good")], "b1\nFilename: /etc/passwd")
    assert repository.packages() == ()


def test_prune_keeps_the_newest(make_deb: MakeDeb, make_repository: MakeRepository) -> None:
    repository = make_repository()
    versions = ["1.0", "1.0~rc1", "1.10", "1.9", "1:0.1"]
    repository.publish([make_deb("hello", version) for version in versions])
    repository.publish([make_deb("single")])
    assert [entry.version for entry in repository.find("hello")] == [
        "1:0.1", "1.10", "1.9", "1.0", "1.0~rc1",
    ]  # fmt: skip
    gone = repository.prune(keep=2)
    assert sorted(entry.version for entry in gone) == ["1.0", "1.0~rc1", "1.9"]
    assert listed(repository) == ["hello 1.10", "hello 1:0.1", "single 1.0"]
    assert len(list(repository.path.glob("*.deb"))) == 3
    assert repository.verify() == ()
    with pytest.raises(PublishError):
        repository.prune(keep=0)


def test_remove_one_version_or_all(make_deb: MakeDeb, make_repository: MakeRepository) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello", "1"), make_deb("hello", "2"), make_deb("kept")])
    assert repository.remove("missing") == ()
    assert [entry.version for entry in repository.remove("hello", "1")] == ["1"]
    assert listed(repository) == ["hello 2", "kept 1.0"]
    assert len(repository.remove("hello")) == 1
    assert sorted(path.name for path in repository.path.glob("*.deb")) == ["kept_1.0_all.deb"]


def test_hand_work_in_the_folder_is_taken_up(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    warnings: list[str] = []
    repository = make_repository(on_warning=warnings.append)
    repository.path.mkdir(parents=True)
    make_deb("seed").rename(repository.path / "seed_1.0_all.deb")
    (repository.path / "half_1.0_all.deb").write_bytes(b"!<arch>\nhalf a co")
    (repository.path / "link_1.0_all.deb").symlink_to("/etc/passwd")
    repository.publish([make_deb("hello")])
    assert listed(repository) == ["hello 1.0", "seed 1.0"]
    assert len(warnings) == 1
    assert "half_1.0_all.deb" in warnings[0]
    (repository.path / "seed_1.0_all.deb").unlink()
    make_deb("hello", content="changed in place").replace(repository.path / "hello_1.0_all.deb")
    assert any("hello_1.0_all.deb" in line for line in repository.verify())
    before = repository.state()
    assert repository.refresh() != before
    assert listed(repository) == ["hello 1.0"]
    assert repository.verify() == (
        "half_1.0_all.deb: is not in the index",
        "link_1.0_all.deb: is not in the index",
    )


def test_lost_or_damaged_index_files_are_repaired(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    repository = make_repository()
    file = make_deb("hello")
    repository.publish([file])
    state = repository.state()
    for name in ("Packages", "Packages.xz", "Release", "Release.gpg", "key.asc", "key.gpg"):
        (repository.path / name).unlink()
    for cache in (repository.path / ".lapstrake").glob("cache-*"):
        cache.write_text("{ half a ca")
    repository.publish([file])
    assert repository.verify() == ()
    assert repository.state() == state


def test_a_new_key_signs_the_same_index(make_deb: MakeDeb, make_repository: MakeRepository) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello")])
    state, key = repository.state(), (repository.path / "key.asc").read_bytes()
    changed = make_repository(keys="new-keys")
    changed.refresh()
    assert changed.verify() == ()
    assert changed.state() == state
    assert (repository.path / "key.asc").read_bytes() != key


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    repository = make_repository()
    repository.path.parent.mkdir()
    repository.path.write_text("a file")
    with pytest.raises(PublishError, match="stable"):
        repository.publish([make_deb("hello")])


def test_a_full_disk_publishes_nothing_and_the_next_time_works(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    repository = make_repository()
    repository.path.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", repository.path],
        stderr=subprocess.PIPE,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        repository.publish([make_deb("hello")])
        state = repository.state()
        with pytest.raises(StoreError, match="No space left"):
            repository.publish([make_deb("small"), make_deb("zlarge", content="x" * 600_000)])
        assert repository.state() == state
        assert repository.verify() == ()
        assert sorted(path.name for path in repository.path.glob("*.deb")) == ["hello_1.0_all.deb"]
        repository.publish([make_deb("small")])
        assert listed(repository) == ["hello 1.0", "small 1.0"]
    finally:
        subprocess.run(["umount", repository.path], check=True)


def test_a_key_that_cannot_sign_publishes_nothing(
    make_deb: MakeDeb, make_repository: MakeRepository, tmp_path: Path
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello")])
    secret = tmp_path / "keys" / "repository" / "private-keys-v1.d"
    secret.rename(tmp_path / "away")
    with pytest.raises(PublishError, match="signing the index"):
        repository.publish([make_deb("new"), make_deb("hello", content="rebuilt")])
    assert listed(repository) == ["hello 1.0"]
    assert repository.verify() == ()
    remove_tree(secret)  # gpg makes an empty one
    (tmp_path / "away").rename(secret)
    repository.publish([make_deb("new")])
    assert repository.verify() == ()


PUBLISHER = """
import sys
from functools import partial
from pathlib import Path
from lapstrake.repository.flat import Repository
from lapstrake.repository.signing import own_signer
from lapstrake.names import BranchName
top, prefix = Path(sys.argv[1]), sys.argv[2]
signer = partial(own_signer, top / "keys")
repository = Repository(top / "output" / "stable", BranchName("stable"), signer)
for path in sorted((top / "built").glob(prefix + "*.deb")):
    repository.publish([path], prefix)
"""


def test_two_processes_at_once_lose_nothing(
    make_deb: MakeDeb, make_repository: MakeRepository, tmp_path: Path
) -> None:
    for prefix in ("left", "right"):
        for number in range(20):
            make_deb(f"{prefix}{number:02}")
    words = [sys.executable, "-c", PUBLISHER, str(tmp_path)]
    environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
    publishers = [
        subprocess.Popen([*words, prefix], env=environment) for prefix in ("left", "right")
    ]
    assert [publisher.wait(timeout=120) for publisher in publishers] == [0, 0]
    repository = make_repository()
    expected = sorted(
        f"{side}{number:02} 1.0" for side in ("left", "right") for number in range(20)
    )
    assert listed(repository) == expected
    assert repository.verify() == ()
