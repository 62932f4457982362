"""Disks that fill up at each stage: said clearly, nothing is lost, and with room all goes on."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from lapstrake.errors import StoreError
from roots import Completed
from trouble import Victim, small_disk

# The disk is the same for all users.
pytestmark = pytest.mark.parametrize("victim", ["nspawn"], indirect=True)

_STORE = Path(".builder/store")


def _full(done: Completed, *said: str) -> None:
    assert done.status == StoreError.exit_code, f"{done.status}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    assert "crash-" not in done.stderr
    assert "No space left" in done.stderr or "is full" in done.stderr
    assert "→ " in done.stderr
    for text in said:
        assert text in done.stderr, done.stderr


def _works(victim: Victim, bundle: Path) -> None:
    done = victim.build(bundle)
    assert done.ok, done.stderr
    assert victim.half_made() == []
    assert victim.repository().verify() == ()


def _with_source(victim: Victim, size: int) -> Path:
    """A bundle with a source that is its own archive's only file."""
    bundle = victim.bundle("sourced")
    data = os.urandom(size)
    (bundle / "data.bin").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    more = f'[[source]]\nurl = "data.bin"\nsha256 = "{digest}"\nunpack = false'
    return victim.bundle("sourced", more=more)


def test_while_fetching(victim: Victim, tmp_path: Path) -> None:
    bundle = _with_source(victim, 8 << 20)
    with small_disk(tmp_path / "cache", "4m", kind="tmpfs") as cache:
        settings = (f"cache.download_dir={cache}",)
        _full(victim.build(bundle, settings=settings), "data.bin")
        assert not [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
    _works(victim, bundle)


def test_while_filling_the_build_root(victim: Victim) -> None:
    bundle = _with_source(victim, 8 << 20)
    with small_disk(victim.work_dir / _STORE / "workspaces", "6m", kind="tmpfs"):
        _full(victim.build(bundle))
        assert victim.half_made() == []
    _works(victim, bundle)


def test_while_building(victim: Victim) -> None:
    bundle = victim.bundle("big", build="head -c 40M /dev/urandom > /var/tmp/big")
    with small_disk(victim.work_dir / _STORE / "workspaces", "20m", kind="tmpfs"):
        _full(victim.build(bundle), "the step")
        assert victim.half_made() == []
        assert victim.last_record()["state"] == "failed"
    _works(victim, bundle)


def test_while_taking_the_results(victim: Victim) -> None:
    install = "mkdir -p $DESTDIR/opt; head -c 9M /dev/urandom > $DESTDIR/opt/big; rm -rf /var/tmp/*"
    bundle = victim.bundle("big", install=f"{install}")
    with small_disk(victim.work_dir / _STORE / "workspaces", "24m", kind="tmpfs"):
        done = victim.build(bundle)
        _full(done)
        assert victim.half_made() == []
    _works(victim, bundle)


def test_while_publishing(victim: Victim) -> None:
    small = victim.bundle("tiny")
    big = victim.bundle(
        "big", install="mkdir -p $DESTDIR/opt; head -c 9M /dev/urandom > $DESTDIR/opt/big"
    )
    shutil.rmtree(victim.output, ignore_errors=True)
    with small_disk(victim.work_dir / "output", "6m", kind="tmpfs"):
        _works(victim, small)
        before = victim.repository().packages()
        _full(victim.build(big), "output/stable")
        assert victim.repository().verify() == ()
        assert victim.repository().packages() == before
        assert not list(victim.output.rglob("big_*"))
        _works(victim, small)
    _works(victim, big)


@pytest.mark.parametrize("filled", ["before", "meanwhile"])
def test_while_recording(victim: Victim, filled: str) -> None:
    bundle = victim.bundle("chatty", build="yes 0123456789 | head -c 3M || :; sleep 1")
    before = victim.repository().packages()
    with small_disk(victim.work_dir / "builds", "1m", kind="tmpfs") as disk:
        if filled == "before":
            (disk / "filler").write_bytes(bytes(1 << 20))
        _full(victim.run("-q", "build", str(bundle), "stable"), "builds")
        assert victim.half_made() == []
        assert victim.repository().packages() == before
    _works(victim, bundle)
