"""Refreshing a branch: against a small archive of our own that changes, breaks and goes away."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from lapstrake.errors import BranchError
from roots import run_cli
from webserver import Request, Site, fail, running_site

pytestmark = pytest.mark.skipif(shutil.which("dpkg-scanpackages") is None, reason="needs dpkg-dev")


def conditional(body: bytes) -> Callable[[Request], None]:
    """Serve a file with an ETag; whoever knows it gets no body."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'

    def answer(request: Request) -> None:
        if request.headers.get("If-None-Match") == etag:
            request.reply(b"", 304, ETag=etag)
        else:
            request.reply(body, ETag=etag)

    return answer


@dataclass
class Archive:
    """A flat archive with one package."""

    site: Site
    folder: Path

    def publish(self, version: str) -> None:
        root = self.folder / f"probe-{version}"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(
            f"Package: probe\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: A <a@example.org>\nDescription: probe\n"
        )
        (root / "usr/share/probe").mkdir(parents=True)
        (root / "usr/share/probe/version").write_text(version)
        shutil.rmtree(self.folder / "pool", ignore_errors=True)
        (self.folder / "pool").mkdir()
        subprocess.run(
            ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(root), "pool/probe.deb"],
            cwd=self.folder, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        packages = subprocess.run(
            ["dpkg-scanpackages", "pool"], cwd=self.folder, check=True, capture_output=True
        ).stdout
        packed = gzip.compress(packages, mtime=0)
        sums = "".join(
            f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
            for name, data in (("Packages", packages), ("Packages.gz", packed))
        )
        release = f"Origin: test\nSuite: x\nDate: {formatdate(usegmt=True)}\nSHA256:\n{sums}"
        package = (self.folder / "pool/probe.deb").read_bytes()
        self.site.put("/pool/probe.deb", conditional(package))
        self.site.put("/x/Packages", conditional(packages))
        self.site.put("/x/Packages.gz", conditional(packed))
        self.site.put("/x/Release", conditional(release.encode()))

    def asked_for(self) -> set[str]:
        """What was asked for since the last look."""
        found = {path for path, _ in self.site.requests}
        self.site.requests.clear()
        return found


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    (tmp_path / "archive").mkdir()
    with running_site() as site:
        made = Archive(site, tmp_path / "archive")
        made.publish("1.0")
        yield made


@pytest.fixture
def small(work_dir: Path, archive: Archive) -> Path:
    """A work folder with a branch ``small`` whose packages come from the archive alone."""
    file = work_dir / "conf/source_lists/small.list"
    file.write_text(f"deb [trusted=yes] {archive.site.url}/ x/\n")
    return work_dir


def refresh(work_dir: Path, status: int = 0) -> str:
    done = run_cli("branch", "refresh", "small", work_dir=work_dir)
    assert done.status == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def in_draft(work_dir: Path, *words: str) -> str:
    done = run_cli("branch", "shell", "small", "--", *words, work_dir=work_dir)
    assert done.ok, done.stdout + done.stderr
    return done.stdout


def facts_of(work_dir: Path) -> dict[str, Any]:
    done = run_cli("branch", "list", "--json", "--look", work_dir=work_dir)
    assert done.ok, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return next(row for row in rows if row["name"] == "small")


def test_an_unchanged_upstream_costs_a_question(small: Path, archive: Archive) -> None:
    assert "it has no instance yet" in refresh(small)
    first = facts_of(small)
    archive.asked_for()
    assert "small: fresh" in refresh(small)
    assert archive.asked_for() == {"/x/InRelease", "/x/Release"}
    assert facts_of(small)["instance"] == first["instance"]


def test_what_upstream_publishes_comes_in(small: Path, archive: Archive) -> None:
    refresh(small)
    in_draft(small, "apt-get", "-y", "install", "probe")
    assert run_cli("branch", "commit", "small", work_dir=small).ok
    archive.publish("2.0")
    assert "upstream changed" in facts_of(small)["stale_because"]
    said = refresh(small)
    assert f"upstream changed: {archive.site.url}" in said
    assert in_draft(small, "cat", "/usr/share/probe/version") == "2.0"
    assert run_cli("branch", "rollback", "small", work_dir=small).ok  # the draft
    assert run_cli("branch", "rollback", "small", work_dir=small).ok  # the refresh
    assert "small: fresh" in refresh(small)  # it stays back until upstream changes again
    assert in_draft(small, "cat", "/usr/share/probe/version") == "1.0"
    run_cli("branch", "rollback", "small", work_dir=small)
    archive.publish("3.0")
    refresh(small)
    assert in_draft(small, "cat", "/usr/share/probe/version") == "3.0"


def test_an_upstream_that_is_gone_is_warned_of(small: Path, archive: Archive) -> None:
    refresh(small)
    archive.site.put("/x/InRelease", fail(500))
    said = refresh(small)
    assert "warning: cannot tell whether upstream changed" in said
    assert "small: fresh" in said


def test_a_broken_upstream_leaves_the_old_instance(small: Path, archive: Archive) -> None:
    refresh(small)
    before = facts_of(small)["instance"]
    archive.publish("2.0")
    archive.site.put("/x/Packages", conditional(b"other bytes"))
    archive.site.put("/x/Packages.gz", conditional(b"other bytes"))
    said = refresh(small, status=BranchError.exit_code)
    assert "apt-get update" in said
    assert facts_of(small)["instance"] == before
    leftovers = [
        *small.glob(".builder/store/unfinished/*"),
        *small.glob(".builder/store/workspaces/*"),
    ]
    assert leftovers == []
    archive.publish("2.1")
    assert "upstream changed" in refresh(small)


def test_an_edited_list_is_followed(small: Path) -> None:
    refresh(small)
    file = small / "conf/source_lists/small.list"
    file.write_text(file.read_text() + "# edited\n")
    assert "was edited" in refresh(small)
    file.write_text("deb nonsense\n")
    wrong = refresh(small, status=3)
    assert "small.list:1" in wrong
