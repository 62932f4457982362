"""Layers that move to another machine: owners, attributes, what is gone, what is closed."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from crafted import CAPABILITY
from lapstrake.host.layer_archive import pack_layer, unpack_layer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def facts(tree: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(tree.rglob("*")):
        look = path.lstat()
        names = os.listxattr(path, follow_symlinks=False)
        found[str(path.relative_to(tree))] = (
            look.st_mode,
            look.st_uid,
            look.st_gid,
            look.st_rdev,
            look.st_mtime_ns,
            look.st_nlink if path.is_file() else 0,
            path.read_bytes() if stat.S_ISREG(look.st_mode) else b"",
            str(path.readlink()) if path.is_symlink() else "",
            {name: os.getxattr(path, name, follow_symlinks=False) for name in names},
        )
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "layer" / "tree"
    (tree / "etc" / "closed").mkdir(parents=True)
    (tree / "etc" / "file").write_text("text")
    os.link(tree / "etc" / "file", tree / "etc" / "same")
    (tree / "etc" / "link").symlink_to("../nowhere")
    os.mknod(tree / "etc" / "gone", stat.S_IFCHR, 0)
    os.chown(tree / "etc" / "file", 12, 34)
    (tree / "etc" / "file").chmod(0o6711)
    (tree / "ping").write_bytes(b"\x7fELF")
    os.setxattr(tree / "ping", "security.capability", CAPABILITY)
    (tree / "\udcff odd\nname").write_text("x")
    (tree / "dev").mkdir()
    os.mknod(tree / "dev" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.utime(tree / "etc", ns=(5, 1_700_000_000_123_456_789))
    return tree


@pytest.mark.parametrize("attribute", ["trusted.overlay.opaque", "user.overlay.opaque"])
def test_a_tree_moves(tmp_path: Path, tree: Path, attribute: str) -> None:
    os.setxattr(tree / "etc" / "closed", attribute, b"y")
    os.setxattr(tree / "etc", attribute.replace("opaque", "origin"), b"elsewhere")
    archive = tmp_path / "packed"
    assert pack_layer(tree, archive) == ("etc/closed",)
    target = tmp_path / "other" / "tree"
    target.parent.mkdir()
    unpack_layer(archive, target, ("etc/closed",))
    os.removexattr(tree / "etc", attribute.replace("opaque", "origin"))
    os.removexattr(tree / "etc" / "closed", attribute)
    os.setxattr(tree / "etc" / "closed", "trusted.overlay.opaque", b"y")
    assert facts(target) == facts(tree)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layer", "other", "packed"]


def test_what_overlayfs_shows_is_the_same(tmp_path: Path, tree: Path) -> None:
    lower = tmp_path / "lower"
    (lower / "etc" / "closed").mkdir(parents=True)
    (lower / "etc" / "closed" / "hidden").touch()
    (lower / "etc" / "gone").touch()
    os.setxattr(tree / "etc" / "closed", "trusted.overlay.opaque", b"y")
    archive, target = tmp_path / "packed", tmp_path / "other" / "tree"
    target.parent.mkdir()
    unpack_layer(archive, target, pack_layer(tree, archive))
    shown, merged = [], tmp_path / "merged"
    merged.mkdir()
    for upper in (tree, target):
        options = f"lowerdir={upper}:{lower}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "none", merged], check=True)
        try:
            shown.append(sorted(str(path.relative_to(merged)) for path in merged.rglob("*")))
        finally:
            subprocess.run(["umount", merged], check=True)
    assert shown[0] == shown[1]
    assert not {"etc/gone", "etc/closed/hidden"} & set(shown[1])


def test_files_may_get_second_names_meanwhile(tmp_path: Path, tree: Path) -> None:
    """So folding does, and so do backups by hard links: their change times are others."""
    for number in range(400):
        (tree / f"file{number}").write_bytes(os.urandom(1 << 14))
    over = threading.Event()

    def link() -> None:
        while not over.is_set():
            for number in range(400):
                os.link(tree / f"file{number}", tmp_path / "second")
                (tmp_path / "second").unlink()

    linking = threading.Thread(target=link)
    linking.start()
    try:
        pack_layer(tree, tmp_path / "packed")
    finally:
        over.set()
        linking.join()
    unpack_layer(tmp_path / "packed", tmp_path / "copy", [])
    assert facts(tmp_path / "copy") == facts(tree)
