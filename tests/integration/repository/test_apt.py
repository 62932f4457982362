"""What a real apt makes of a repository."""

from __future__ import annotations

import lzma
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Apt, MakeDeb, MakeRepository, Web

MakeApt = Callable[..., Any]


@pytest.mark.parametrize("way", ["file", "http"])
def test_apt_takes_a_signed_repository(
    way: str, make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt, web: Web
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello"), make_deb("greeter", "1:2.0~pre1-3")], "b1")
    uri = f"file:{repository.path}" if way == "file" else f"{web.address}/stable"
    apt: Apt = make_apt()
    apt.use(repository.sources_text(uri))
    updated = apt.update()
    assert (updated.returncode, updated.stderr) == (0, "")
    assert apt.names() == ["greeter 1:2.0~pre1-3", "hello 1.0"]
    fetched = apt.download("greeter")
    assert fetched.returncode == 0, fetched.stderr
    assert len(list(apt.folder.glob("greeter*.deb"))) == 1
    policy = apt.run("apt-cache", "policy").stdout
    assert re.search(r"o=Lapstrake,a=stable,n=stable,l=Lapstrake stable", policy)
    if way == "http":
        assert any("/by-hash/SHA256/" in path for path in web.asked)
        assert not any(path.endswith(("/Packages", "/Packages.xz")) for path in web.asked)


def test_the_ready_sources_file_works(
    make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello")])
    apt: Apt = make_apt()
    apt.use((repository.path / "stable.sources").read_text())
    assert apt.update().returncode == 0
    assert apt.names() == ["hello 1.0"]


@pytest.mark.parametrize("key", ["key.asc", "key.gpg"])
def test_key_files_serve_signed_by(
    key: str, make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello")])
    apt: Apt = make_apt()
    apt.use(
        f"Types: deb\nURIs: file:{repository.path}\nSuites: ./\n"
        f"Signed-By: {repository.path / key}\n"
    )
    assert apt.update().returncode == 0
    (repository.path / "InRelease").unlink()  # old clients: Release and Release.gpg
    assert apt.update().returncode == 0


def test_another_key_is_not_accepted(
    make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt
) -> None:
    ours, other = make_repository(), make_repository("other", "other-keys")
    ours.publish([make_deb("hello")])
    other.publish([make_deb("hello")])
    apt: Apt = make_apt()
    apt.use(other.sources_text(f"file:{ours.path}"))
    refused = apt.update()
    assert refused.returncode != 0
    assert "NO_PUBKEY" in refused.stderr or "Missing key" in refused.stderr
    assert apt.names() == []


@pytest.mark.parametrize("victim", ["by-hash", "InRelease", "package"])
def test_tampering_is_refused(
    victim: str, make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt, web: Web
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello")])
    apt: Apt = make_apt()
    apt.use(repository.sources_text(f"{web.address}/stable"))
    if victim == "by-hash":
        for file in (repository.path / "by-hash" / "SHA256").iterdir():
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
    elif victim == "InRelease":
        file = repository.path / "InRelease"
        file.write_text(file.read_text().replace("Origin: Lapstrake", "Origin: Lapstroke"))
        (repository.path / "Release.gpg").unlink()
    else:
        file = repository.path / "hello_1.0_all.deb"
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    updated = apt.update()
    if victim == "package":
        assert updated.returncode == 0
        fetched = apt.download("hello")
        assert fetched.returncode != 0
        assert "Hash Sum mismatch" in fetched.stderr
    else:
        assert updated.returncode != 0
        assert apt.names() == []
    assert repository.verify() != ()


def test_apt_sees_a_rebuild_an_upgrade_and_a_removal(
    make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt, web: Web
) -> None:
    repository = make_repository()
    repository.publish([make_deb("hello"), make_deb("other")])
    apt: Apt = make_apt()
    apt.use(repository.sources_text(f"{web.address}/stable"))
    assert apt.update().returncode == 0
    repository.publish([make_deb("hello", content="built again"), make_deb("hello", "1.1")])
    assert apt.update().returncode == 0
    assert apt.names() == ["hello 1.0", "hello 1.1", "other 1.0"]
    assert apt.download("hello=1.0").returncode == 0
    (fetched,) = apt.folder.glob("hello_1.0_all.deb")
    assert b"built again" in fetched.read_bytes()
    repository.remove("other")
    assert apt.update().returncode == 0
    assert apt.names() == ["hello 1.0", "hello 1.1"]
    repository.remove("hello")
    assert apt.update().returncode == 0
    assert apt.names() == []


def test_a_reader_with_an_older_release_still_gets_its_index(
    make_deb: MakeDeb, make_repository: MakeRepository
) -> None:
    repository = make_repository()
    folder = repository.path / "by-hash" / "SHA256"
    indexes: list[list[str]] = []

    def publish(number: int) -> None:
        repository.publish([make_deb(f"p{number}")])
        release = (repository.path / "InRelease").read_text()
        indexes.append(re.findall(r"^ ([0-9a-f]{64}) ", release, re.MULTILINE))

    def there() -> set[str]:
        return {file.name for file in folder.iterdir()}

    for number in range(7):
        publish(number)
    assert there() == {digits for sums in indexes for digits in sums}  # all followed just now
    an_hour_ago = time.time() - 3600
    for file in folder.iterdir():
        os.utime(file, (an_hour_ago, an_hour_ago))
    publish(7)
    assert there() == {digits for sums in indexes[-4:] for digits in sums}
    assert repository.verify() == ()


def test_apt_reads_an_index_of_many_blocks_changed_in_some(
    make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt, web: Web
) -> None:
    repository = make_repository()
    names = [f"package{number}" for number in range(130)]
    repository.publish([make_deb(name) for name in names])
    repository.publish([make_deb("package7", content="again"), make_deb("added")])
    repository.remove("package8")
    packed = (repository.path / "Packages.xz").read_bytes()
    assert lzma.decompress(packed) == (repository.path / "Packages").read_bytes()
    apt: Apt = make_apt()
    apt.use(repository.sources_text(f"{web.address}/stable"))
    assert apt.update().returncode == 0
    expected = sorted(f"{name} 1.0" for name in [*names, "added"] if name != "package8")
    assert apt.names() == expected


def test_readers_beside_a_publisher_get_the_old_or_the_new_index(
    make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt, web: Web
) -> None:
    repository = make_repository()
    first = make_deb("first")
    files = [make_deb(f"p{number:02}", content="x" * number) for number in range(30)]
    repository.publish([first])
    apt: Apt = make_apt()
    apt.use(repository.sources_text(f"{web.address}/stable"))
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(lambda: [repository.publish([file]) for file in files])
        seen = [len(repository.packages())]
        updates = 0
        while not publishing.done():
            updated = apt.update()
            assert (updated.returncode, updated.stderr) == (0, "")
            seen.append(len(repository.packages()))
            updates += 1
        publishing.result()
    assert updates > 1
    assert seen == sorted(seen)
    assert apt.update().returncode == 0
    assert len(apt.names()) == 31


def test_each_machine_takes_its_own_packages(
    make_deb: MakeDeb, make_repository: MakeRepository, make_apt: MakeApt
) -> None:
    """One repository holds those of all architectures, as cross builds make them."""
    repository = make_repository()
    repository.publish([make_deb("both", arch=arch) for arch in ("amd64", "arm64")])
    repository.publish([make_deb("crossed", arch="arm64"), make_deb("texts")])
    assert [entry.architecture for entry in repository.find("both")] == ["amd64", "arm64"]

    def machine(*archs: str) -> Apt:
        apt: Apt = make_apt("-".join(archs))
        apt.be(*archs)
        apt.use(repository.sources_text(f"file:{repository.path}"))
        assert apt.update().returncode == 0
        return apt

    arm64, amd64, knowing = machine("arm64"), machine("amd64"), machine("amd64", "arm64")
    assert arm64.would_install("both", "crossed") == ["arm64", "arm64"]
    assert arm64.names() == ["both 1.0", "crossed 1.0", "texts 1.0"]
    assert amd64.would_install("both") == ["amd64"]
    assert amd64.would_install("crossed") == []
    assert amd64.names() == ["both 1.0", "texts 1.0"]
    assert knowing.would_install("both") == ["amd64"]
    assert knowing.would_install("both:arm64", "crossed:arm64") == ["arm64", "arm64"]
