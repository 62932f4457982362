"""load-baseos from files: everything survives, nothing leaves the tree, the old base is kept."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from crafted import CAPABILITY, ROOT, Member, compressed, tar
from lapstrake.baseos.current import current_base
from lapstrake.baseos.load import load_base
from lapstrake.config.model import BaseMethod
from lapstrake.errors import BaseError, ChecksumError
from lapstrake.layer.store import Layer
from lapstrake.names import Digest
from lapstrake.place.workplace import Workplace
from roots import open_work_dir, run_cli

KINDS = ("tar", "tar.gz", "tar.xz", "tar.bz2", "tar.zst")
RICH = (
    *ROOT,
    Member(name="./etc/secret", content=b"s", mode=0o640, uid=0, gid=42),
    Member(name="./usr/bin/su", content=b"#!", mode=0o4755),
    Member(name="./usr/bin/ping", content=b"p", xattrs={"security.capability": CAPABILITY}),
    Member(name="./usr/bin/pong", link="./usr/bin/ping", hard=True),
    Member(name="./usr/bin/absolute", link="/etc/secret"),
    Member(name="./usr/bin/relative", link="../../etc/secret"),
    Member(name="./etc/note", content=b"n", xattrs={"user.note": b"hello"}),
    Member(name="./var/mail", mode=0o2775, gid=8),
    Member(name="./var/tmp", mode=0o1777),
    Member(name="./var/of-www", content=b"w", uid=33, gid=33),
    Member(name="./dev/null", device=(1, 3), mode=0o666),
    Member(name="./etc/.wh.kept", content=b"a plain file of a plain tarball"),
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    (tmp_path / "work").mkdir()
    return open_work_dir(tmp_path / "work")


def load(place: Workplace, source: Path | str, checksum: Digest | None = None) -> Layer:
    base = replace(place.config.base, method=BaseMethod.TARBALL, url=str(source), checksum=checksum)
    return load_base(place, base)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def nothing_left(place: Workplace) -> bool:
    folders = [place.store.root / name for name in ("unfinished", "workspaces")]
    return not any(entry for folder in folders for entry in folder.iterdir())


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_every_compression_gives_the_same_root(place: Workplace, tmp_path: Path, kind: str) -> None:
    archive = write(tmp_path / "base", compressed(tar(RICH), kind))
    tree = load(place, archive).tree
    assert current_base(place).tree == tree
    secret = (tree / "etc/secret").stat()
    assert (secret.st_mode & 0o7777, secret.st_uid, secret.st_gid) == (0o640, 0, 42)
    assert (tree / "usr/bin/su").stat().st_mode & 0o7777 == 0o4755
    assert (tree / "var/mail").stat().st_mode & 0o7777 == 0o2775
    assert (tree / "var/tmp").stat().st_mode & 0o7777 == 0o1777
    assert (tree / "var/of-www").stat().st_uid == 33
    assert os.getxattr(tree / "usr/bin/ping", "security.capability") == CAPABILITY
    assert os.getxattr(tree / "etc/note", "user.note") == b"hello"
    assert (tree / "usr/bin/ping").stat().st_nlink == 2
    assert (tree / "usr/bin/absolute").readlink() == Path("/etc/secret")
    device = (tree / "dev/null").stat()
    assert stat.S_ISCHR(device.st_mode)
    assert device.st_rdev == os.makedev(1, 3)
    assert (tree / "etc/.wh.kept").is_file()
    assert int((tree / "etc/note").stat().st_mtime) == 1_000_000_000


def test_a_user_loads_the_same_but_for_devices(user_dir: tuple[str, Path]) -> None:
    user, folder = user_dir
    archive = write(folder / "base.tar.xz", compressed(tar(RICH), "tar.xz"))
    archive.chmod(0o644)
    done = run_cli("load-baseos", "base.tar.xz", work_dir=folder, user=user)
    assert done.ok, done.stderr
    (tree,) = (folder / ".builder/store/layers").glob("*/tree")
    owner = folder.stat().st_uid
    assert (tree / "etc/note").stat().st_uid == owner
    assert (tree / "var/of-www").stat().st_uid not in {0, 33, owner}
    assert (tree / "usr/bin/su").stat().st_mode & 0o7777 == 0o4755
    assert os.getxattr(tree / "usr/bin/ping", "security.capability")
    assert list((tree / "dev").iterdir()) == []
    removed = run_cli("cleanup", "all", work_dir=folder, user=user)
    assert removed.ok, removed.stderr
    assert not (folder / ".builder").exists()


@needs_root
def test_squashfs(place: Workplace, tmp_path: Path) -> None:
    if shutil.which("mksquashfs") is None or shutil.which("unsquashfs") is None:
        pytest.skip("needs squashfs-tools")
    first = load(place, write(tmp_path / "base.tar", tar(RICH))).tree
    image = tmp_path / "base.squashfs"
    subprocess.run(
        ["mksquashfs", str(first), str(image), "-quiet", "-no-progress"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    tree = load(place, image).tree
    assert tree != first
    assert (tree / "etc/secret").stat().st_gid == 42
    assert (tree / "usr/bin/su").stat().st_mode & 0o7777 == 0o4755
    assert os.getxattr(tree / "usr/bin/ping", "security.capability") == CAPABILITY
    assert stat.S_ISCHR((tree / "dev/null").stat().st_mode)
    image.write_bytes(image.read_bytes()[:700])
    with pytest.raises(BaseError):
        load(place, image)
    assert current_base(place).tree == tree


@needs_root
def test_the_same_file_is_the_same_layer(place: Workplace, tmp_path: Path) -> None:
    first = load(place, write(tmp_path / "one.tar", tar(ROOT)))
    assert load(place, write(tmp_path / "two.tar", tar(ROOT))).key == first.key


HOSTILE = {
    "up": (Member(name="../escaped", content=b"x"),),
    "deep up": (Member(name="./usr/../../escaped", content=b"x"),),
    "through a link": (
        Member(name="./usr/out", link="../../../../.."),
        Member(name="./usr/out/escaped", content=b"x"),
    ),
    "through an absolute link": (
        Member(name="./usr/out", link="{outside}"),
        Member(name="./usr/out/escaped", content=b"x"),
    ),
    "hard link up": (Member(name="./usr/stolen", link="../../../../outside/victim", hard=True),),
    "absolute hard link": (Member(name="./usr/stolen", link="{outside}/victim", hard=True),),
    "over a hard link": (
        Member(name="./usr/stolen", link="{outside}/victim", hard=True),
        Member(name="./usr/stolen", content=b"overwritten"),
    ),
    "absolute": (Member(name="{outside}/escaped", content=b"x"),),
}


@needs_root
@pytest.mark.parametrize("how", HOSTILE)
def test_nothing_leaves_the_tree(place: Workplace, tmp_path: Path, how: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = write(outside / "victim", b"victim")
    members = [
        replace(
            member,
            name=member.name.format(outside=outside),
            link=member.link.format(outside=outside),
        )
        for member in HOSTILE[how]
    ]
    archive = write(tmp_path / "hostile.tar", tar((*ROOT, *members)))
    before = {path for path in tmp_path.rglob("*") if ".builder" not in path.parts}
    try:
        tree: Path | None = load(place, archive).tree
    except BaseError:
        tree = None  # refusing it is fine; so is unpacking it inside the tree
    assert {path for path in tmp_path.rglob("*") if ".builder" not in path.parts} == before
    assert victim.read_bytes() == b"victim"
    assert victim.stat().st_nlink == 1
    escaped = {path for path in place.private.rglob("escaped") if tree not in path.parents}
    assert escaped == set()
    assert nothing_left(place)


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_file_is_refused_and_the_old_base_kept(
    place: Workplace, tmp_path: Path, kind: str
) -> None:
    old = load(place, write(tmp_path / "old.tar", tar((*ROOT, Member(name="./usr/old")))))
    noise = Member(name="./usr/noise", content=os.urandom(30_000))
    whole = compressed(tar((*RICH, noise)), kind)
    for share in (0.1, 0.5, 0.9, 0.99):
        length = int(len(whole.rstrip(b"\0")) * share)  # tar pads with zeros
        with pytest.raises(BaseError):
            load(place, write(tmp_path / "cut", whole[: length - length % 512]))
    assert current_base(place).key == old.key
    assert nothing_left(place)
    assert len(list(place.store.layers())) == 1


@needs_root
@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "no archive"),
        (b"no tarball at all", "no archive"),
        (tar([Member(name="./root/"), Member(name="./root/usr")]), "no root"),
    ],
)
def test_what_is_no_root_is_refused(
    place: Workplace, tmp_path: Path, data: bytes, said: str
) -> None:
    with pytest.raises(BaseError, match=said) as caught:
        load(place, write(tmp_path / "file", data))
    assert caught.value.resolution
    assert nothing_left(place)


@needs_root
def test_a_checksum_is_held_against_the_file(place: Workplace, tmp_path: Path) -> None:
    archive = write(tmp_path / "base.tar", tar(ROOT))
    with pytest.raises(ChecksumError, match="checksum") as caught:
        load(place, archive, Digest("sha256", "0" * 64))
    assert "0" * 64 in caught.value.details
    import hashlib

    right = Digest("sha512", hashlib.sha512(archive.read_bytes()).hexdigest())
    assert load(place, archive, right)


@needs_root
def test_aoinbs_buildkit_in_the_work_folder_is_taken(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    place = open_work_dir(work)
    name = f"buildkit_{place.config.arch}.tar.xz"
    write(work / name, compressed(tar(RICH), "tar.xz"))
    done = run_cli("load-baseos", work_dir=work)
    assert done.ok, done.stderr
    assert name in done.stderr
    assert (current_base(place).tree / "usr/bin/su").exists()


@needs_root
def test_a_missing_file_is_told(tmp_path: Path) -> None:
    done = run_cli("load-baseos", "not-there.tar", work_dir=tmp_path)
    assert done.status == BaseError.exit_code
    assert "not-there.tar" in done.stderr
    assert "Traceback" not in done.stderr
    missing = run_cli("update-baseos", work_dir=tmp_path)
    assert missing.status == BaseError.exit_code
    assert "load-baseos" in missing.stderr


def test_contradicting_options_are_refused(tmp_path: Path) -> None:
    for words in (("file", "--suite=x"), ("file", "--checksum=zzz"), ("--method=nonsense",)):
        done = run_cli("load-baseos", *words, work_dir=tmp_path)
        assert done.status == 2, done.stderr
