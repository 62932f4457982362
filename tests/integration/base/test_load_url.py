"""load-baseos from a server: resumed, verified, and nothing under its name until it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crafted import ROOT, Member, compressed, tar
from lapstrake.baseos.current import current_base
from lapstrake.config.model import host_arch
from lapstrake.errors import BaseError, ChecksumError
from roots import Completed, cli_command, cli_environment, open_work_dir, run_cli
from webserver import Site, cut, fail, resumable, running_site, serve

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

BODY = compressed(tar((*ROOT, Member(name="etc/noise", content=os.urandom(200_000)))), "tar.gz")
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


def load(work_dir: Path, *words: str, **variables: Any) -> Completed:
    downloads = str(work_dir / "downloads")
    return run_cli(
        "load-baseos", *words, work_dir=work_dir, LAPSTRAKE_DL_DIR=downloads, **variables
    )


def has_noise(work_dir: Path) -> bool:
    return (current_base(open_work_dir(work_dir)).tree / "etc/noise").stat().st_size == 200_000


def test_a_broken_download_is_resumed(site: Site, tmp_path: Path) -> None:
    url = site.put("/base.tar.gz", cut(BODY, 90_000, ETag='"v1"'), resumable(BODY))
    done = load(tmp_path, url)
    assert done.ok, done.stderr
    assert has_noise(tmp_path)
    ranges = [headers["Range"] for path, headers in site.requests if "Range" in headers]
    assert ranges == ["bytes=90000-"]


def test_a_checksum_beside_it_is_held_against_it(site: Site, tmp_path: Path) -> None:
    url = site.put("/base.tar.gz", serve(BODY))
    site.put("/base.tar.gz.sha256sum", serve(f"{SHA}  base.tar.gz\n".encode()))
    assert load(tmp_path, url).ok
    site.put("/base.tar.gz.sha256sum", serve(f"{'0' * 64}  base.tar.gz\n".encode()))
    refused = load(tmp_path, url)
    assert refused.status == ChecksumError.exit_code
    assert SHA in refused.stderr
    assert has_noise(tmp_path)


def test_the_command_lines_checksum_counts(site: Site, tmp_path: Path) -> None:
    url = site.put("/base.tar.gz", serve(BODY))
    assert load(tmp_path, url, f"--checksum=sha256:{'0' * 64}").status == ChecksumError.exit_code
    assert load(tmp_path, url, f"--checksum=sha256:{SHA}").ok


def test_a_url_is_asked_again_because_its_file_may_be_another_one(
    site: Site, tmp_path: Path
) -> None:
    other = compressed(tar((*ROOT, Member(name="etc/other", content=b"x"))), "tar.gz")
    url = site.put("/base.tar.gz", serve(BODY), serve(other))
    assert load(tmp_path, url).ok
    assert load(tmp_path, url).ok
    assert (current_base(open_work_dir(tmp_path)).tree / "etc/other").exists()


def test_what_is_not_there_is_told_and_the_old_base_kept(site: Site, tmp_path: Path) -> None:
    url = site.put("/base.tar.gz", serve(BODY))
    assert load(tmp_path, url).ok
    for missing in (f"{site.url}/no.tar.gz", site.put("/denied.tar.gz", fail(403))):
        done = load(tmp_path, missing)
        assert done.status == BaseError.exit_code, done.stderr
        assert missing in done.stderr
        assert "Traceback" not in done.stderr
    assert has_noise(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_interrupted_nothing_is_half_there(site: Site, tmp_path: Path, how: signal.Signals) -> None:
    url = site.put("/base.tar.gz", site.hang(BODY[:1000]))
    with subprocess.Popen(
        cli_command("load-baseos", url),
        env=cli_environment(tmp_path, LAPSTRAKE_DL_DIR=str(tmp_path / "downloads")),
        stderr=subprocess.PIPE,
    ) as process:
        while not any(path == "/base.tar.gz" for path, _ in site.requests):
            time.sleep(0.02)
        process.send_signal(how)
        _, told = process.communicate(timeout=60)
    assert process.returncode == (-9 if how is signal.SIGKILL else 128 + how), told.decode()
    assert not (tmp_path / ".builder/base.json").exists()
    assert not list((tmp_path / ".builder/store/layers").iterdir())
    assert not list((tmp_path / "downloads").rglob("blobs/*/*/*"))
    site.put("/base.tar.gz", serve(BODY))
    assert load(tmp_path, url).ok
    assert has_noise(tmp_path)


def test_the_newest_buildkit_of_a_manifest(site: Site, tmp_path: Path) -> None:
    arch = host_arch().value
    rows = [
        {"arch": arch, "date": date, "path": f"os/buildkit_{date}_{arch}.tar.gz", "sha256sum": SHA}
        for date in ("20240101", "20250101")
    ]
    text = json.dumps({"version": 1, "variants": [{"name": "BuildKit", "tarballs": rows}]})
    url = site.put("/manifest/recipe.json", serve(text.encode(), Content_Type="application/json"))
    site.put(f"/os/buildkit_20250101_{arch}.tar.gz", serve(BODY))
    done = load(tmp_path, "--method=tarball", LAPSTRAKE_BASE_BUILDKIT_URL=url)
    assert done.ok, done.stderr
    assert f"buildkit_20250101_{arch}" in done.stderr
    assert has_noise(tmp_path)


def test_the_newest_buildkit_of_a_page(site: Site, tmp_path: Path) -> None:
    arch = host_arch().value
    names = [f"aosc-os_buildkit_{date}_{arch}.tar.xz" for date in ("20240101", "20250101")]
    page = "".join(f'<a href="{name}">{name}</a>' for name in names)
    url = site.put("/list/", serve(page.encode(), Content_Type="text/html"))
    site.put(f"/list/{names[1]}", serve(BODY))
    site.put(f"/list/{names[1]}.sha256sum", serve(f"{SHA}  {names[1]}".encode()))
    done = load(tmp_path, "--method=tarball", LAPSTRAKE_BASE_BUILDKIT_URL=url)
    assert done.ok, done.stderr
    assert has_noise(tmp_path)


def test_a_list_without_our_machine_is_told(site: Site, tmp_path: Path) -> None:
    url = site.put("/list/", serve(b"<p>nothing here</p>", Content_Type="text/html"))
    done = load(tmp_path, "--method=tarball", LAPSTRAKE_BASE_BUILDKIT_URL=url)
    assert done.status == BaseError.exit_code
    assert url in done.stderr
