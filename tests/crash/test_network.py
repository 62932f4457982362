"""A network that goes away in the middle: clear errors, and what was there stays."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.errors import BranchError, ChecksumError, DependencyError, FetchError
from roots import Completed
from trouble import Victim
from webserver import Site, cut, running_site, serve

# What fetches is the same for all users.
pytestmark = pytest.mark.parametrize("victim", ["nspawn"], indirect=True)


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


def _archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        entry = tarfile.TarInfo("source/data")
        entry.size = 300_000
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return out.getvalue()


def _bundle(victim: Victim, url: str, digest: str) -> Path:
    more = f'[[source]]\nurl = "{url}"\nsha256 = "{digest}"'
    return victim.bundle("fetching", more=more)


def _refused(victim: Victim, done: Completed, status: int, *said: str) -> None:
    assert done.status == status, done.stderr
    assert "Traceback" not in done.stderr
    for text in said:
        assert text in done.stderr, done.stderr
    assert victim.half_made() == []
    assert victim.leftovers() == []


@pytest.mark.parametrize("trouble", ["cut", "no-such-host"])
def test_a_source_that_stops_in_the_middle(victim: Victim, site: Site, trouble: str) -> None:
    data = _archive()
    digest = hashlib.sha256(data).hexdigest()
    url = site.put("/source.tar.gz", cut(data, 100_000))
    if trouble == "no-such-host":
        url = "http://no-such-host.invalid/source.tar.gz"
    done = victim.build(_bundle(victim, url, digest))
    _refused(victim, done, FetchError.exit_code, "source.tar.gz", url, "lapstrake.toml")
    site.put("/source.tar.gz", serve(data))
    again = victim.build(_bundle(victim, f"{site.url}/source.tar.gz", digest))
    assert again.ok, again.stderr


def test_a_source_that_is_something_else(victim: Victim, site: Site) -> None:
    url = site.put("/source.tar.gz", serve(_archive()))
    done = victim.build(_bundle(victim, url, "0" * 64))
    _refused(victim, done, ChecksumError.exit_code, "0" * 64, url)
    assert len(site.requests) == 2, "a wrong file is fetched once more"


class _Archive:
    """An archive of one package, signed, served by a site that may fail on any file of it."""

    def __init__(self, victim: Victim, site: Site, tmp_path: Path) -> None:
        self.site = site
        self.folder = tmp_path / "archive"
        shutil.copytree(victim.output, self.folder, ignore=lambda _f, _n: {".lapstrake"})
        # One version above, so that an upgrade has something to do.
        self.files = {
            f"/{path.relative_to(self.folder)}": path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        for path, data in self.files.items():
            site.put(path, serve(data))
            site.put(f"/.{path}", serve(data))
        key = "\n".join(
            f" {line}" if line else " ."
            for line in (self.folder / "key.asc").read_text().splitlines()
        )
        self.text = f"Types: deb\nURIs: {site.url}\nSuites: ./\nSigned-By:\n{key}\n"

    def breaks(self, *parts: str) -> None:
        """Have files with one of these in their path stop in the middle."""
        for path in list(self.site.answers):
            if any(part in path for part in parts):
                data = self.files[path.removeprefix("/.") if path.startswith("/./") else path]
                self.site.put(path, cut(data, len(data) // 2))

    def mends(self) -> None:
        """Have all of it whole again."""
        for path, data in self.files.items():
            for name in (path, f"/.{path}"):
                self.site.put(name, serve(data))


@pytest.fixture
def archive(victim: Victim, site: Site, tmp_path: Path) -> Iterator[_Archive]:
    done = victim.build(victim.bundle("served", install="mkdir -p $DESTDIR/srv"))
    assert done.ok, done.stderr
    archive = _Archive(victim, site, tmp_path)
    list_file = victim.work_dir / "conf/source_lists/served.sources"
    stable = victim.work_dir / "conf/source_lists/stable.sources"
    list_file.write_text(f"{stable.read_text()}\n\n{archive.text}")
    list_file.chmod(0o644)
    yield archive
    victim.run("cleanup", "served")
    list_file.unlink()


@pytest.mark.parametrize("parts", [("by-hash", "Packages"), (".deb",)], ids=["index", "deb"])
def test_an_archive_that_stops_in_the_middle(
    victim: Victim, archive: _Archive, parts: tuple[str, ...]
) -> None:
    bundle = victim.bundle("needs", more='[depends]\nbuild = ["served"]')
    archive.breaks(*parts)
    refreshed = victim.run("branch", "refresh", "served")
    if ".deb" in parts:
        assert refreshed.ok, refreshed.stderr
        done = victim.run("build", str(bundle), "served")
        _refused(victim, done, DependencyError.exit_code, "served")
    else:
        _refused(victim, refreshed, BranchError.exit_code, archive.site.url)
    archive.mends()
    done = victim.run("build", "--refresh", str(bundle), "served")
    assert done.ok, done.stderr


def test_the_old_instance_stays(victim: Victim, archive: _Archive) -> None:
    assert victim.run("branch", "refresh", "served").ok
    state = victim.work_dir / ".builder/branches/served.json"
    before = state.read_bytes()
    file = victim.work_dir / "conf/source_lists/served.sources"
    file.write_text(f"# edited\n{file.read_text()}")
    archive.breaks("Release")
    bundle = victim.bundle("tiny")
    done = victim.run("build", "--refresh", str(bundle), "served")
    _refused(victim, done, BranchError.exit_code)
    assert state.read_bytes() == before
    archive.mends()
    assert victim.run("build", "--refresh", str(bundle), "served").ok
