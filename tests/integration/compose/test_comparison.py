"""The comparison of roots itself: it sees every kind of difference."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from root_compare import differences

_DAY = 86400
_CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
"""cap_net_raw as an effective capability, version 2 (linux/capability.h)."""


def _plain(tree: Path) -> None:
    """A few things that a package could bring."""
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "var/lib/dpkg").mkdir(parents=True)
    (tree / "usr/bin/one").write_text("one\n")
    (tree / "usr/bin/twin").hardlink_to(tree / "usr/bin/one")
    (tree / "usr/bin/two").write_text("two\n")
    (tree / "usr/bin/link").symlink_to("one")
    (tree / "var/lib/dpkg/status").write_text(
        "Package: a\nStatus: ok\nDescription: x\n more\n\nPackage: b\nStatus: ok\n"
    )
    for path in ("usr/bin/one", "usr/bin/two", "usr/bin/link"):
        os.utime(tree / path, (_DAY, _DAY), follow_symlinks=False)


def _relinked(tree: Path) -> None:
    (tree / "usr/bin/link").unlink()
    (tree / "usr/bin/link").symlink_to("two")
    os.utime(tree / "usr/bin/link", (_DAY, _DAY), follow_symlinks=False)


def _parted(tree: Path) -> None:
    (tree / "usr/bin/twin").unlink()
    shutil.copy2(tree / "usr/bin/one", tree / "usr/bin/twin")


def _replaced(tree: Path) -> None:
    (tree / "usr/bin/two").unlink()
    (tree / "usr/bin/two").mkdir()


def _reordered(tree: Path) -> None:
    (tree / "var/lib/dpkg/status").write_text(
        "Package: b\nStatus: ok\n\nPackage: a\nDescription: x\n more\nStatus: ok\n"
    )


def _written(tree: Path, text: str) -> None:
    (tree / "usr/bin/two").write_text(text)
    os.utime(tree / "usr/bin/two", (_DAY, _DAY))


CHANGES: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "nothing": (lambda tree: None, set()),
    "order": (_reordered, set()),
    "mode": (lambda tree: (tree / "usr/bin/two").chmod(0o4755), {("/usr/bin/two", "mode")}),
    "owner": (lambda tree: os.chown(tree / "usr/bin", 1, 2), {("/usr/bin", "owner")}),
    "bytes": (lambda tree: _written(tree, "owt\n"), {("/usr/bin/two", "content")}),
    "time": (lambda tree: os.utime(tree / "usr/bin/two", (9, 9)), {("/usr/bin/two", "time")}),
    "target": (_relinked, {("/usr/bin/link", "target")}),
    "missing": (lambda tree: (tree / "usr/bin/two").unlink(), {("/usr/bin/two", "missing")}),
    "type": (_replaced, {("/usr/bin/two", "type")}),
    "hard link": (_parted, {("/usr/bin/one", "links"), ("/usr/bin/twin", "links")}),
    "attribute": (
        lambda tree: os.setxattr(tree / "usr/bin/two", "security.capability", _CAPABILITY),
        {("/usr/bin/two", "attributes")},
    ),
    "dpkg": (
        lambda tree: (tree / "var/lib/dpkg/status").write_text("Package: a\nStatus: ok\n"),
        {("/var/lib/dpkg/status", "content")},
    ),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("name", CHANGES)
def test_every_difference_is_seen(tmp_path: Path, name: str) -> None:
    change, wanted = CHANGES[name]
    for root in ("one", "other"):
        _plain(tmp_path / root)
    change(tmp_path / "other")
    found = differences(
        [tmp_path / "one"], [tmp_path / "other"], since=time.time() - 60, scratch=tmp_path
    )
    assert {(each.path, each.what) for each in found} == wanted, found
