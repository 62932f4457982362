"""Getting: what is here first, then the sites in their order, and every complaint told."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from artifact_sites import archive_of, quick_terms
from lapstrake.artifact.base import (
    FolderSite,
    Origin,
    Package,
    PackageType,
    Platform,
    Project,
    Site,
    UrlSite,
)
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.getting.flow import check_found, choose, get_each
from lapstrake.artifact.getting.found import Got, Missing
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.keeping.status import Where, status_of
from lapstrake.artifact.sites.base import Terms
from lapstrake.config.model import ArtifactsConfig, CacheConfig, Config
from lapstrake.errors import ArtifactError, StoreError, UsageError
from lapstrake.source.job import CancelledError
from roots import Recorder
from webserver import Request, cut, fail, resumable, running_site, serve
from webserver import Site as Server


@dataclass
class Here:
    """A depot in a folder, and a project in another one."""

    folder: Path
    packages: list[Package] = field(default_factory=list)
    progress: Recorder = field(default_factory=Recorder)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def depot(self) -> Depot:
        config = Config(
            work_dir=self.folder / "work",
            cache=CacheConfig(download_dir=self.folder / "downloads"),
            artifacts=ArtifactsConfig(),
        )
        return Depot(config=config, environment={"HOST_ARCH": "x86_64", **self.environment})

    @property
    def project(self) -> Project:
        return Project(name="app", version="1", folder=self.folder, packages=tuple(self.packages))

    def package(self, *sites: Site, name: str = "fish", **more: object) -> Identity:
        """Add a package; gives what its artifact is called."""
        folder = self.folder / "packages" / name
        folder.mkdir(parents=True)
        (folder / "VERSION").write_text(name)
        package = Package(
            name=name, type=PackageType.PACKAGE, version="1.0", folder=folder,
            origin=Origin.PATH, checksum=("VERSION",), sites=sites,
        )  # fmt: skip
        package = replace(package, **more)  # type: ignore[arg-type]
        self.packages.append(package)
        return status_of(self.project, package, self.depot).identity

    def get(self, *names: str, terms: Terms | None = None) -> tuple[Got | Missing, ...]:
        chosen = choose(self.project, names)
        return get_each(self.project, chosen, self.depot, terms or quick_terms(), self.progress)

    def got(self, *, terms: Terms | None = None) -> Got:
        """The only artifact, whole."""
        (found,) = self.get(terms=terms)
        assert isinstance(found, Got), found
        assert (found.path / "hello").read_bytes() == b"hello\n"
        return found

    def complaint(self, *, named: bool = False, offline: bool = False) -> str:
        found = self.get(terms=quick_terms(offline=offline, retries=0))
        with pytest.raises(ArtifactError) as missing:
            check_found(found, self.depot, self.progress, named=named, offline=offline)
        return str(missing.value)

    def left(self) -> list[str]:
        """The files among the downloads, but for locks."""
        files = [path for path in (self.folder / "downloads").rglob("*") if path.is_file()]
        names = [str(path.relative_to(self.folder / "downloads")) for path in files]
        return sorted(name for name in names if not name.startswith("locks/"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return Here(folder=tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with running_site() as server:
        yield server


@pytest.fixture
def second() -> Iterator[Server]:
    with running_site() as server:
        yield server


def flat() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("hello"))
    return packed.getvalue()


def hostile() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("top/../../escaped"))
    return packed.getvalue()


def test_the_first_site_that_has_it(here: Here, server: Server, second: Server) -> None:
    identity = here.package(UrlSite(url=server.url), UrlSite(url=second.url), UrlSite(url="x:"))
    url = second.put(f"/{identity.file_name}", resumable(archive_of(identity)))
    found = here.got()
    assert (found.where, found.site) == (Where.NOTHING, url)
    assert found.path == here.depot.artifacts / identity.download_name
    assert [len(server.requests), len(second.requests)] == [1, 1]
    assert here.left() == [identity.file_name]
    assert here.got().where is Where.KEPT
    assert len(second.requests) == 1


def test_an_archive_among_the_downloads_needs_no_site(here: Here) -> None:
    identity = here.package(UrlSite(url="http://127.0.0.1:9"))
    here.depot.downloads.mkdir()
    (here.depot.downloads / identity.file_name).write_bytes(archive_of(identity))
    assert here.got(terms=quick_terms(offline=True)).where is Where.DOWNLOADED


def test_a_bad_one_among_the_downloads(here: Here, server: Server) -> None:
    """It is removed, which is said, and the sites are asked."""
    identity = here.package(UrlSite(url=server.url))
    archive = here.depot.downloads / identity.file_name
    archive.parent.mkdir()
    archive.write_bytes(archive_of(identity)[:-20])
    text = here.complaint()
    assert not archive.exists()
    assert f"{archive} is damaged or cut short; removed" in text
    assert "status 404" in text
    server.put(f"/{identity.file_name}", serve(archive_of(identity)))
    assert here.got().site


@pytest.mark.parametrize(
    "lie",
    [b"", b"<html>log in</html>", flat(), hostile(), b"\x1f\x8b", None],
    ids=["empty", "page", "flat", "hostile", "head", "cut"],
)
def test_a_site_that_lies(here: Here, server: Server, second: Server, lie: bytes | None) -> None:
    identity = here.package(UrlSite(url=server.url))
    data = archive_of(identity)
    url = server.put(f"/{identity.file_name}", serve(data[:-30] if lie is None else lie))
    text = here.complaint()
    assert f"{url}: what it sent is broken" in text
    assert here.left() == []
    assert not list(here.depot.artifacts.glob("fish*"))
    here.packages[0] = replace(
        here.packages[0], sites=(UrlSite(url=server.url), FolderSite(path=here.folder))
    )
    (here.folder / identity.file_name).write_bytes(data)
    assert here.got().site == str(here.folder / identity.file_name)
    assert f"what {url} sent is broken" in here.progress.warnings[-1]


def test_known_digests(here: Here, server: Server) -> None:
    identity = here.package(UrlSite(url=server.url))
    data, forged = archive_of(identity), archive_of(identity, b"forged")
    digest = hashlib.sha256(data).hexdigest()
    here.packages[0] = replace(here.packages[0], digests={identity.file_name: digest})
    server.put(f"/{identity.file_name}", serve(forged), serve(data))
    text = here.complaint()
    assert digest in text
    assert hashlib.sha256(forged).hexdigest() in text
    assert here.got().site


@pytest.mark.parametrize("said", ["0" * 64, "", "x y z"])
def test_the_digest_beside_it(here: Here, said: str) -> None:
    """In a folder, ``.sha256`` is compared when it is there, as ``sha256sum`` writes it."""
    identity = here.package(FolderSite(path=here.folder))
    data = archive_of(identity)
    (here.folder / identity.file_name).write_bytes(data)
    beside = here.folder / f"{identity.file_name}.sha256"
    beside.write_text(said)
    assert "it sent something else than it says" in here.complaint()
    assert here.left() == []
    beside.write_text(f"{hashlib.sha256(data).hexdigest()}  {identity.file_name}\n")
    assert here.got().site


def test_a_pipe_in_its_place(here: Here) -> None:
    """Whoever may write to a folder makes nobody wait."""
    identity = here.package(FolderSite(path=here.folder))
    os.mkfifo(here.folder / identity.file_name)
    writer = os.open(here.folder / identity.file_name, os.O_RDWR | os.O_NONBLOCK)
    late = threading.Timer(5, os.close, [writer])  # who reads it hears its end then
    late.start()
    assert "cannot be read: Not a regular file" in here.complaint()
    late.cancel()
    os.close(writer)


def test_an_interrupted_download_is_gone_on_with(here: Here, server: Server) -> None:
    identity = here.package(UrlSite(url=server.url))
    data = archive_of(identity)
    server.put(f"/{identity.file_name}", cut(data, 60, ETag='"v1"'), resumable(data))
    assert "nowhere to be had: fish" in here.complaint()
    assert here.got().site
    assert server.requests[1][1]["Range"] == "bytes=60-"
    assert here.left() == [identity.file_name]


def test_what_another_site_began_goes(here: Here, server: Server, second: Server) -> None:
    identity = here.package(UrlSite(url=server.url), UrlSite(url=second.url))
    data = archive_of(identity)
    server.put(f"/{identity.file_name}", cut(data, 60, ETag='"v1"'))
    here.complaint()
    assert len(here.left()) == 2  # its beginning, and what tells its version
    second.put(f"/{identity.file_name}", serve(data))
    assert here.got(terms=quick_terms(retries=0)).site
    assert here.left() == [identity.file_name]


def test_the_rest_of_another_file(here: Here, server: Server) -> None:
    """A server that tells no version: what the two halves make is broken, and got anew."""
    identity = here.package(UrlSite(url=server.url))
    data = archive_of(identity)
    path = f"/{identity.file_name}"

    def rest(request: Request) -> None:
        said = f"bytes 60-{len(data) - 1}/{len(data)}"
        request.reply(data[60:], 206, Content_Range=said)

    server.put(path, cut(b"\0" * len(data), 60), rest, serve(data))
    here.complaint()
    assert here.got().site
    assert len(server.requests) == 3


def test_everything_that_was_tried_is_told(here: Here, server: Server) -> None:
    folder = here.folder / "site"
    folder.mkdir()
    sites = (UrlSite(url=server.url), FolderSite(path=folder), UrlSite(url=f"{server.url}/b"))
    lost = here.package(*sites, name="lost")
    good = here.package(FolderSite(path=folder), name="good")
    wanted = here.package(name="made", platform=Platform())
    (folder / good.file_name).write_bytes(archive_of(good))
    (folder / lost.file_name.replace(lost.checksum[:7], "ABCDEF0")).touch()
    server.put(f"/b/{lost.file_name}", fail(403))
    text = here.complaint()
    assert text.splitlines() == [
        "nowhere to be had: lost",
        f"{lost.file_name}:",
        f"  {server.url}/{lost.file_name}: status 404 Not Found",
        f"  {folder / lost.file_name}: no such file; it has version 1.0 made from other inputs:"
        f" checksum ABCDEF0, not {lost.checksum[:7]}",
        f"  {server.url}/b/{lost.file_name}: status 403 Forbidden",
        f"Put {lost.file_name} into {here.depot.downloads}.",
    ]
    assert here.progress.warnings[-1] == "made has no sites: it can only be built"
    assert (here.depot.artifacts / good.download_name / "hello").exists()
    named = here.complaint(named=True, offline=True)
    assert "`lapstrake artifact build made`, or leave --offline out, or put" in named
    assert f"{wanted.file_name}:\n  it has no sites" in named
    assert "the network may not be used" in named


def test_a_package_that_can_neither_be_got_nor_built(here: Here) -> None:
    here.package()
    assert "it has no sites" in here.complaint()


def test_names(here: Here) -> None:
    here.package(name="one")
    here.package(name="two")
    assert [each.package.name for each in here.get("two")] == ["two"]
    with pytest.raises(UsageError, match=r"no package 'three'"):
        here.get("three")
    platform = replace(here.packages[0], type=PackageType.SYSTEM_PLATFORM)
    here.packages[0] = platform
    assert [each.package.name for each in here.get()] == ["two"]
    with pytest.raises(UsageError, match="system_platform"):
        here.get("one")


def test_several_at_a_time(here: Here, server: Server) -> None:
    """Each answer waits for the other's request; their bytes are told as one sum."""
    both = threading.Barrier(2)

    def meet(data: bytes) -> Callable[[Request], None]:
        def answer(request: Request) -> None:
            both.wait(30)
            request.reply(data)

        return answer

    sizes = []
    for name in ("one", "two"):
        identity = here.package(UrlSite(url=server.url), name=name)
        data = archive_of(identity, os.urandom(3 << 20))
        sizes.append(len(data))
        server.put(f"/{identity.file_name}", meet(data))
    told: list[tuple[int, int]] = []
    terms = quick_terms(on_bytes=lambda done, total: told.append((done, total)))
    assert all(isinstance(each, Got) for each in here.get(terms=terms))
    assert max(total for _, total in told) == sum(sizes)


def test_two_at_once_download_once(here: Here, server: Server) -> None:
    identity = here.package(UrlSite(url=server.url))
    data = archive_of(identity)

    def slowly(request: Request) -> None:
        time.sleep(0.3)
        request.reply(data)

    server.put(f"/{identity.file_name}", slowly)
    found: list[Got] = []
    threads = [threading.Thread(target=lambda: found.append(here.got())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.where for each in found) == [Where.KEPT, Where.NOTHING]
    assert len(server.requests) == 1


def test_giving_up_while_another_one_downloads(here: Here, server: Server) -> None:
    identity = here.package(UrlSite(url=server.url))
    server.put(f"/{identity.file_name}", server.hang(b"\x1f\x8b"))
    first, second = quick_terms(timeout=60.0), quick_terms()
    ended: list[BaseException] = []

    def get(terms: Terms) -> None:
        try:
            here.get(terms=terms)
        except CancelledError as given_up:
            ended.append(given_up)

    threads = [threading.Thread(target=get, args=(terms,)) for terms in (first, second)]
    threads[0].start()
    while not server.requests:
        time.sleep(0.01)
    threads[1].start()
    second.cancelled.cancel()
    threads[1].join(30)
    first.cancelled.cancel()
    threads[0].join(30)
    assert len(ended) == 2


def test_a_folder_that_cannot_be_written(here: Here) -> None:
    here.package(UrlSite(url="http://127.0.0.1:9"))
    (here.folder / "downloads").write_text("a file")
    with pytest.raises(StoreError) as refused:
        here.get()
    assert os.strerror(errno.ENOTDIR) in str(refused.value) or "exist" in str(refused.value)
