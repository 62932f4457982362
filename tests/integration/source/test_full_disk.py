"""A full disk and a killed process: a clear error, and nothing half there."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.errors import StoreError
from lapstrake.names import Digest
from lapstrake.source.cache import DownloadCache
from lapstrake.source.fetch import fetch_all
from lapstrake.source.rules import FetchRules
from lapstrake.source.spec import SourceKind, SourceSpec
from lapstrake.source.unpack import unpack
from webserver import resumable, running_site, serve

BODY = os.urandom(3 << 20)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True
    )
    if mount.returncode != 0:
        pytest.skip("file systems may not be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def spec(url: str) -> SourceSpec:
    digest = Digest("sha256", hashlib.sha256(BODY).hexdigest())
    return SourceSpec(kind=SourceKind.ARCHIVE, url=url, name="1.bin", digest=digest)


def test_downloading_to_a_full_disk(small_disk: Path) -> None:
    cache = DownloadCache(small_disk / "cache")
    with running_site() as site, pytest.raises(StoreError, match=r"disk .* is full"):
        fetch_all([spec(site.put("/a", serve(BODY)))], cache=cache, rules=FetchRules())
    assert not [p for p in cache.root.rglob("*") if p.is_file() and p.stat().st_size > 1000]


def test_unpacking_to_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("hello/file")
        info.size = len(BODY)
        tar.addfile(info, io.BytesIO(BODY))
    with pytest.raises(StoreError, match="disk is full"):
        unpack(tmp_path / "a.tar", small_disk / "out")
    assert not list((small_disk / "out").iterdir())


PROGRAM = """
import sys
from pathlib import Path
from lapstrake.names import Digest
from lapstrake.source.cache import DownloadCache
from lapstrake.source.fetch import fetch_all
from lapstrake.source.rules import FetchRules
from lapstrake.source.spec import SourceKind, SourceSpec

url, digest, cache = sys.argv[1:]
spec = SourceSpec(kind=SourceKind.ARCHIVE, url=url, name="1.bin", digest=Digest("sha256", digest))
fetch_all([spec], cache=DownloadCache(Path(cache)), rules=FetchRules())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_while_downloading(tmp_path: Path, number: signal.Signals) -> None:
    with running_site() as site:
        url = site.put("/a", site.hang(BODY[:500_000]))
        argv: list[str | Path] = [sys.executable, "-c", PROGRAM, url]
        argv += [hashlib.sha256(BODY).hexdigest(), tmp_path / "c"]
        log = tmp_path / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(argv, stderr=said)
        cache = DownloadCache(tmp_path / "c")
        partial = cache.partial(url, Digest("sha256", hashlib.sha256(BODY).hexdigest()))
        while not partial.exists() or partial.stat().st_size < 1000:
            assert process.poll() is None, log.read_text()
            time.sleep(0.01)
        process.send_signal(number)
        # Interrupted, it must not wait for the server, which says nothing for long.
        assert process.wait(timeout=20) != 0
        assert cache.find(Digest("sha256", hashlib.sha256(BODY).hexdigest())) is None
        site.put("/a", resumable(BODY))
        site.requests.clear()
        fetched = fetch_all([spec(url)], cache=cache, rules=FetchRules())[0]
        assert fetched.path.read_bytes() == BODY
        assert site.requests[0][1].get("Range", "").startswith("bytes=")


@pytest.mark.timeout(100)
def test_a_failing_source_ends_a_program_of_another(tmp_path: Path) -> None:
    """git waits ten minutes for a silent server; it is killed when another source has failed."""
    with running_site() as site:
        site.put("/r.git/info/refs?service=git-upload-pack", site.hang())
        slow = SourceSpec(kind=SourceKind.GIT, url=f"{site.url}/r.git", name="r", revision="main")
        cache = DownloadCache(tmp_path / "c")

        def missing_after_git(request: object) -> None:
            while not any("r.git" in path for path, _ in site.requests):
                time.sleep(0.01)
            request.send_error(404)  # type: ignore[attr-defined]

        specs = [slow, spec(site.put("/b", missing_after_git))]
        with pytest.raises(Exception, match=r"1\.bin could not be fetched"):
            fetch_all(specs, cache=cache, rules=FetchRules(retries=0, timeout=600.0))
        assert not site.released.is_set()
