"""Archives of artifacts: packed the same everywhere, unpacked as tar does, broken ones refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lapstrake.artifact.archives.pack import pack_archive
from lapstrake.artifact.archives.plain import BadArchiveError
from lapstrake.artifact.archives.unpack import unpack_archive, verify_archive
from lapstrake.errors import ArtifactError

SUFFIXES = [".tar.gz", ".tar.xz", ".tar.zst"]
EPOCH = 1_500_000_000
TOP = "sys-portable-1.0-0123ABC"


def make_tree(folder: Path) -> Path:
    """Everything that a sysroot may hold."""
    (folder / "usr/lib").mkdir(parents=True)
    (folder / "empty").mkdir(mode=0o700)
    (folder / "usr/lib/libc.so.6").write_bytes(os.urandom(3000) * 900)
    (folder / "usr/lib/libc.so").symlink_to("/usr/lib/libc.so.6")
    (folder / "lib").symlink_to("usr/lib")
    (folder / "up").symlink_to("../../outside")
    tool = folder / "usr/tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    os.link(tool, folder / "usr/same")
    (folder / "usr" / ("long" * 60)).write_text("a name that ustar has no room for")
    (folder / "usr/gr\u00fc\u00df").write_text("")
    for path, time in (("usr/tool", EPOCH - 5), ("usr/lib/libc.so.6", EPOCH + 1000)):
        os.utime(folder / path, (time, time))
    return folder


def facts(folder: Path) -> dict[str, object]:
    """What a tree is, without its times."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(folder))
        what: object = None
        if path.is_symlink():
            what = str(path.readlink())
        elif path.is_file():
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        mode = "link" if path.is_symlink() else oct(status.st_mode)
        found[name] = (mode, what, status.st_nlink if path.is_file() else 0)
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("archives") / "tree")


@pytest.fixture(scope="module", params=SUFFIXES)
def packed(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    target = tmp_path_factory.mktemp("packed") / f"x{request.param}"
    pack_archive(tree, target, top=TOP, epoch=EPOCH)
    return target


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_what_is_packed_comes_out(tree: Path, packed: Path, target: Path, tmp_path: Path) -> None:
    verify_archive(packed, sha256=hashlib.sha256(packed.read_bytes()).hexdigest())
    unpack_archive(packed, target)
    assert facts(target) == facts(tree)
    assert (target / "usr/tool").stat().st_mtime == EPOCH - 5
    assert (target / "usr/lib/libc.so.6").stat().st_mtime == EPOCH
    assert target.joinpath("usr").stat().st_mtime <= EPOCH
    with_tar = tmp_path / "tar"
    with_tar.mkdir()
    options = ("--strip-components=1", "--no-same-permissions")
    subprocess.run(["tar", "-xf", packed, "-C", with_tar, *options], check=True, umask=0o022)
    assert facts(with_tar) == facts(tree)
    listed = subprocess.run(
        ["tar", "--numeric-owner", "-tvf", packed], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert {line.split()[1] for line in listed} == {"0/0"}
    assert listed[0].endswith(f" {TOP}/")


def test_the_same_folder_packs_to_the_same_bytes(tree: Path, packed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tree, other, symlinks=True)
    (other / "usr/same").unlink()
    os.link(other / "usr/tool", other / "usr/same")
    (other / "usr/tool").chmod(0o4775)
    (other / "CHECKSUM").write_text("of an artifact that is kept\n")
    (other / "usr/lib").touch()
    again = tmp_path / packed.name
    pack_archive(other, again, top=TOP, epoch=EPOCH - 5)
    first = tmp_path / f"first-{packed.name}"
    pack_archive(tree, first, top=TOP, epoch=EPOCH - 5)
    assert again.read_bytes() == first.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["other", again.name, first.name]
    )


def test_archives_of_tar_itself(tree: Path, target: Path, tmp_path: Path) -> None:
    """With its own formats for long names, and the folder called by a dot."""
    for format_ in ("gnu", "pax", "ustar"):
        archive = tmp_path / "x.bin"
        done = subprocess.run(
            ["tar", "-czf", archive, f"--format={format_}", "-C", tree, "."],
            check=False, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0 or format_ == "ustar"
        inner = target / format_
        inner.mkdir()
        unpack_archive(archive, inner)
        expected = {name: fact for name, fact in facts(tree).items() if "longlong" not in name}
        found = {name: fact for name, fact in facts(inner).items() if "longlong" not in name}
        assert found == expected


def test_every_cut_is_noticed(packed: Path, target: Path, tmp_path: Path) -> None:
    data = packed.read_bytes()
    for length in (0, 1, 5, 20, len(data) // 3, len(data) - 9, len(data) - 1):
        cut = tmp_path / f"cut{length}"
        cut.write_bytes(data[:length])
        for read in (verify_archive, lambda archive: unpack_archive(archive, target)):
            shutil.rmtree(target)
            target.mkdir()
            with pytest.raises(BadArchiveError) as error:
                read(cut)
            assert str(cut) in str(error.value)


def test_damage_is_noticed(packed: Path, target: Path, tmp_path: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 0x40
    broken = tmp_path / packed.name
    broken.write_bytes(data)
    with pytest.raises(BadArchiveError):
        verify_archive(broken)
    with pytest.raises(BadArchiveError):
        unpack_archive(broken, target)


def test_without_the_compressors_programs(
    tree: Path, packed: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    unpack_archive(packed, target)
    assert facts(target) == facts(tree)
    cut = tmp_path / "cut"
    cut.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(BadArchiveError):
        verify_archive(cut)


def test_zstd_of_several_frames(tree: Path, target: Path, tmp_path: Path) -> None:
    """What pzstd writes, with a frame between that says nothing (RFC 8878, 3.1.2)."""
    from backports import zstd

    plain = subprocess.run(["tar", "-c", TOP], cwd=_named(tree, tmp_path), stdout=subprocess.PIPE,
        check=True)  # fmt: skip
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    half = len(plain.stdout) // 2
    frames = [zstd.compress(plain.stdout[:half]), skipped, zstd.compress(plain.stdout[half:])]
    archive = tmp_path / "x.tar.zst"
    archive.write_bytes(b"".join(frames))
    unpack_archive(archive, target)
    assert facts(target) == facts(tree)
    greedy = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"  # a window of two GiB
    for bad in (b"".join(frames)[:-3], b"".join(frames) + b"garbage", greedy):
        archive.write_bytes(bad)
        with pytest.raises(BadArchiveError, match="damaged or cut short"):
            verify_archive(archive)


def _named(tree: Path, folder: Path) -> Path:
    """A folder in which the tree is called as archives call it."""
    shutil.copytree(tree, folder / TOP, symlinks=True)
    (folder / TOP / "usr/same").unlink()
    os.link(folder / TOP / "usr/tool", folder / TOP / "usr/same")
    return folder


def test_another_digest_is_told(packed: Path) -> None:
    with pytest.raises(BadArchiveError) as error:
        verify_archive(packed, sha256="ab" * 32)
    assert "ab" * 32 in error.value.details
    assert hashlib.sha256(packed.read_bytes()).hexdigest() in error.value.details


@pytest.mark.parametrize("content", [b"<html>not found</html>" * 99, b"PK\x03\x04" + bytes(99)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    wrong = tmp_path / "x.tar.gz"
    wrong.write_bytes(content)
    with pytest.raises(BadArchiveError, match="no archive of a known kind"):
        verify_archive(wrong)


def test_flat_archives_are_refused(tmp_path: Path, target: Path) -> None:
    contents = (["file"], ["folder", "file"], ["folder", "target"])
    for number, content in enumerate(contents):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "file").write_text("")
        archive = tmp_path / f"{number}.tar.gz"
        subprocess.run(["tar", "-czf", archive, "-C", tmp_path, *content], check=True)
        with pytest.raises(BadArchiveError, match=f"{content[-1]}.*so the archive is flat"):
            unpack_archive(archive, target)


def test_what_cannot_be_packed_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    archive = tmp_path / "x.tar.gz"
    for target, said in ((archive, "tree/pipe"), (tmp_path / "x.zip", "x.zip")):
        with pytest.raises(ArtifactError, match=said):
            pack_archive(folder, target, top=TOP)
    with pytest.raises(ArtifactError, match="is no folder"):
        pack_archive(tmp_path / "missing", archive, top=TOP)
    assert list(tmp_path.iterdir()) == [folder]
