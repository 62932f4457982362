"""Roots as files: unpacked again by the programs that people use."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

from handmade_images import (
    CAPABILITY,
    TIME,
    Write,
    file,
    folder,
    make_image,
    make_index,
    noise,
    rich_layers,
)
from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.model import Compression
from lapstrake.errors import ImageError
from lapstrake.host.process import find_program
from lapstrake.image.base import Image
from lapstrake.names import Arch

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners need root")


def unpack(archive: Path, root: Path) -> None:
    """Unpack with GNU tar or unsquashfs."""
    if archive.suffix == ".sqfs":
        if find_program("unsquashfs") is None:
            pytest.skip("needs squashfs-tools")
        argv = ["unsquashfs", "-quiet", "-no-progress", "-dest", str(root), str(archive)]
    else:
        root.mkdir()
        argv = ["tar", "--xattrs", "--xattrs-include=*", "-xpf", str(archive), "-C", str(root)]
    subprocess.run(argv, check=True)


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """All that can be told of the files below a folder."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (root, *root.rglob("*")):
        facts = path.lstat()
        what: object = None
        if path.is_symlink():
            what = path.readlink()
        elif path.is_file():
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        name = str(path.relative_to(root))
        found[name] = (
            oct(facts.st_mode), facts.st_uid, facts.st_gid, what, attributes, int(facts.st_mtime),
        )  # fmt: skip
    return found


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, tuple[object, ...]]:
    """The root made by hand."""
    root = tmp_path / "expected"
    for members in rich_layers():
        for header, data in members:
            path = root / header.name
            if header.name.startswith(("etc/.wh", "var/.wh", "full/.wh")):
                continue
            if header.isdir():
                path.mkdir(exist_ok=True)
            elif header.issym():
                path.symlink_to(header.linkname)
            elif header.islnk():
                path.hardlink_to(root / header.linkname)
            else:
                path.write_bytes(data)
            if not header.islnk():
                os.chown(path, header.uid, header.gid, follow_symlinks=False)
            if not header.issym() and not header.islnk():
                path.chmod(header.mode)
    os.setxattr(root / "etc/special", "user.colour", b"red")
    os.setxattr(root / "etc/special", "security.capability", CAPABILITY)
    for gone in ("etc/gone", "var/first", "full/old"):
        (root / gone).unlink()
    for path in (*root.rglob("*"), root):
        os.utime(path, (TIME, TIME), follow_symlinks=False)
    return tree(root)


@pytest.mark.parametrize(
    "target",
    [
        "tar:{}/a.tar",
        "tar:{}/a.tar.gz",
        "tar:{}/a.tar.xz",
        "tar:{}/a.tar.zst",
        "squashfs:{}/a.sqfs",
    ],
)
def test_everything_is_there(
    image: Image,
    write: Write,
    tmp_path: Path,
    target: str,
    expected: dict[str, tuple[object, ...]],
) -> None:
    write(image, target)
    archive = next(tmp_path.glob("a.*"))
    unpack(archive, tmp_path / "root")
    found = tree(tmp_path / "root")
    if target.startswith("squashfs"):  # sqfstar does not read the time of the top
        found["."], expected["."] = (), ()
    assert found == expected
    first, second = ((tmp_path / "root/bin" / name).stat() for name in ("busybox", "sh"))
    assert first.st_ino == second.st_ino
    once = archive.read_bytes()
    write(image, target)
    assert archive.read_bytes() == once
    assert stat.S_IMODE(archive.stat().st_mode) == 0o644


def test_squashfs_does_not_tell_the_time(
    image: Image, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(image, "squashfs:{}/a.sqfs")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000")
    os.umask(os.umask(0o077))
    write(image, "squashfs:{}/b.sqfs")
    assert (tmp_path / "a.sqfs").read_bytes() == (tmp_path / "b.sqfs").read_bytes()
    said = subprocess.run(
        ["unsquashfs", "-s", tmp_path / "a.sqfs"], capture_output=True, text=True, check=True,
        env={**os.environ, "TZ": "UTC"},
    ).stdout  # fmt: skip
    assert "Tue Nov 14 22:13:20 2023" in said


def test_zstd_layers(blobs: LocalBlobs, write: Write, tmp_path: Path) -> None:
    data = noise(3 << 20)
    image = make_image(blobs, [file("a", data)], compression=Compression.ZSTD)
    write(image, "tar:{}/a.tar")
    unpack(tmp_path / "a.tar", tmp_path / "root")
    assert (tmp_path / "root/a").read_bytes() == data


def test_several_machines(blobs: LocalBlobs, write: Write, tmp_path: Path) -> None:
    members = [make_image(blobs, [folder(arch)], arch=arch) for arch in (Arch.AMD64, Arch.ARM64)]
    for target in ("tar:{}/a", "squashfs:{}/a", "docker-archive:{}/a"):
        with pytest.raises(ImageError, match="images for amd64, arm64") as refused:
            write(make_index(blobs, *members), target)
        assert "--arch" in refused.value.resolution
    said = write(make_index(blobs, members[1]), "tar:{}/a")
    assert str(members[1].oci.digest) in said


@pytest.mark.parametrize("target", ["tar:{}/a", "squashfs:{}/a", "docker-archive:{}/a"])
def test_a_damaged_layer(
    blobs: LocalBlobs, image: Image, write: Write, tmp_path: Path, target: str
) -> None:
    layer = blobs.path(image.layers[0].blob.digest)
    assert layer is not None
    whole = layer.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    for damaged in (whole[:middle], flipped, b"", b"nonsense"):
        layer.write_bytes(damaged)
        with pytest.raises(ImageError, match=r"the layer sha256:\w+ is damaged"):
            write(image, target)
        assert not (tmp_path / "a").exists()
