"""Bundles whose folder itself is hostile: links out of it, FIFOs, devices, giants."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from lapstrake.errors import BundleError
from trouble import Victim

_SECRET = "only the host knows this"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{_SECRET}\n")
    file.chmod(0o600)
    return file


def _aosc(victim: Victim) -> Path:
    folder = victim.work_dir / "bundles/aosc"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "autobuild").mkdir(parents=True)
    (folder / "spec").write_text("VER=1\nDUMMYSRC=1\n")
    (folder / "autobuild/defines").write_text("PKGNAME=aosc\nPKGSEC=utils\nPKGDES=x\n")
    for path in (folder.parent, folder, folder / "autobuild"):
        path.chmod(0o755)
    return folder


@pytest.mark.parametrize("what", ["spec", "autobuild/defines"])
@pytest.mark.parametrize("how", ["link", "fifo", "socket", "folder", "dangling", "loop"])
def test_files_that_are_none(victim: Victim, secret: Path, what: str, how: str) -> None:
    bundle = _aosc(victim)
    file = bundle / what
    file.unlink()
    if how == "link":
        file.symlink_to(secret)
    elif how == "fifo":
        os.mkfifo(file)
    elif how == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(file))
    elif how == "folder":
        file.mkdir()
    else:
        file.symlink_to(file.name if how == "loop" else "/none")
    done = victim.build(bundle)
    assert done.status == BundleError.exit_code, done.stderr
    assert Path(what).name in done.stderr
    assert "Traceback" not in done.stderr
    assert _SECRET not in done.stderr
    assert victim.half_made() == []


def test_a_folder_that_is_the_hosts_root(victim: Victim) -> None:
    bundle = _aosc(victim)
    shutil.rmtree(bundle / "autobuild")
    (bundle / "autobuild").symlink_to("/")
    done = victim.build(bundle)
    assert done.status == BundleError.exit_code, done.stderr
    assert "Traceback" not in done.stderr


def test_links_of_a_bundle_lead_nowhere_outside(victim: Victim, secret: Path) -> None:
    """They are copied as links: inside the root they mean the root's own files."""
    look = 'cd "$LAPSTRAKE_BUILDROOT/bundle"; cat file folder/secret below/* 2>&1 || :; ls -l'
    bundle = victim.bundle("linked", build=look)
    for name, target in (("file", secret), ("folder", secret.parent), ("below", Path("/root"))):
        (bundle / name).unlink(missing_ok=True)
        (bundle / name).symlink_to(target)
    done = victim.build(bundle)
    assert done.ok, done.stderr
    assert _SECRET not in victim.last_log()


def test_odd_files_of_a_bundle_are_passed_over(victim: Victim) -> None:
    bundle = victim.bundle("odd-files", build='ls "$LAPSTRAKE_BUILDROOT/bundle"')
    shutil.rmtree(bundle)
    bundle = victim.bundle("odd-files", build='ls "$LAPSTRAKE_BUILDROOT/bundle"')
    os.mkfifo(bundle / "fifo")
    os.mknod(bundle / "device", 0o600 | 0o020000, os.makedev(1, 8))
    (bundle / "suid").write_text("#!/bin/sh\n")
    (bundle / "suid").chmod(0o6755)
    (bundle / os.fsdecode(b"n\xff\n\x1b[2J")).touch()
    with (bundle / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 38)
    before = os.statvfs(victim.work_dir).f_bfree * os.statvfs(victim.work_dir).f_frsize
    done = victim.build(bundle)
    assert "Traceback" not in done.stderr
    assert done.ok or done.status == BundleError.exit_code, done.stderr
    after = os.statvfs(victim.work_dir).f_bfree * os.statvfs(victim.work_dir).f_frsize
    assert before - after < 1 << 30
    assert "\x1b" not in done.stderr
    assert victim.half_made() == []
