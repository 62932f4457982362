"""Archives of artifacts that mean harm: refused with the entry's name, and nothing is written."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from crafted import Member, compressed, tar
from lapstrake.artifact.archives.plain import BadArchiveError
from lapstrake.artifact.archives.unpack import Bounds, unpack_archive, verify_archive
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.keeping.cache import ArtifactCache

ONE = Identity(
    package="sys", host="portable", version="1.0", checksum="0123ABC" + "0" * 57, suffix=".tar.gz"
)
TOP = Member(name="t")


class Pipe(Member):
    """A FIFO."""

    def _type(self) -> bytes:
        return tarfile.FIFOTYPE


def file(name: str, content: bytes = b"gotcha") -> Member:
    return Member(name=name, content=content)


OUT = "{outside}"
"""Stands for a folder beside the cache."""

ATTACKS: dict[str, tuple[Sequence[Member], str]] = {
    "traversal": ([TOP, file("t/../../x")], "t/../../x"),
    "traversal at once": ([file("../x/y")], "../x/y"),
    "absolute": ([file(OUT + "/x")], "/x"),
    "through a link": ([Member(name="t/out", link=OUT), file("t/out/x")], "t/out/x"),
    "through two links": (
        [Member(name="t/a", link=".."), Member(name="t/b", link="a/.."), file("t/b/x")], "t/b/x",
    ),
    "through the top": ([Member(name="t", link=OUT), file("t/x")], "flat"),
    "a hard link outside": ([Member(name="t/h", link=OUT + "/kept", hard=True)], "t/h"),
    "a hard link above": ([Member(name="t/h", link="t/../../kept", hard=True)], "t/h"),
    "a hard link to a link": (
        [Member(name="t/l", link=OUT + "/kept"), Member(name="t/h", link="t/l", hard=True)], "t/h",
    ),
    "a file over a folder": ([Member(name="t/d"), file("t/d/x"), file("t/d")], "t/d"),
    "a device": ([Member(name="t/null", device=(1, 3))], "t/null"),
    "a pipe": ([Pipe(name="t/pipe")], "t/pipe"),
    "deep": ([file("t/" + "d/" * 300 + "x")], "too deep"),
}  # fmt: skip


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_attacks(tmp_path: Path, attack: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    members, said = ATTACKS[attack]
    written = [_placed(member, str(outside)) for member in members]
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(compressed(tar(written), "tar.gz"))
    cache = ArtifactCache(tmp_path / "cache")
    with pytest.raises(BadArchiveError, match=said):
        cache.put_archive(ONE, archive)
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "mine"
    assert (outside / "kept").stat().st_nlink == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "outside", "x.tar.gz"]
    assert cache.entries() == ()


def _placed(member: Member, outside: str) -> Member:
    return type(member)(
        name=member.name.replace(OUT, outside), content=member.content, mode=member.mode,
        link=member.link.replace(OUT, outside), hard=member.hard, device=member.device,
    )  # fmt: skip


def test_what_may_be_in_a_sysroot_does_no_harm(tmp_path: Path) -> None:
    """Links to anywhere stay links; set-id bits, others' rights, owners and attributes go."""
    (tmp_path / "kept").write_text("mine")
    members = [
        Member(name="t", mode=0o777),
        Member(name="t/etc", mode=0o3777, uid=12345),
        Member(name="t/etc/mtab", link="/proc/self/mounts"),
        Member(name="t/busybox", content=b"x", mode=0o6777, uid=12345, gid=54321),
        Member(name="t/secret", content=b"x", mode=0o000),
        Member(name="t/caps", content=b"x", xattrs={"user.x": b"y"}),
        Member(name="t/CHECKSUM", link=str(tmp_path / "kept")),
    ]
    for number, last in enumerate((members[-1], Member(name="t/CHECKSUM"))):
        archive = tmp_path / f"{number}.tar.gz"
        archive.write_bytes(compressed(tar([*members[:-1], last]), "tar.gz"))
        kept = ArtifactCache(tmp_path / f"cache{number}").put_archive(ONE, archive)
        modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in kept.iterdir()}
        assert modes == {
            "etc": 0o755, "busybox": 0o755, "secret": 0o600, "caps": 0o755, "CHECKSUM": 0o644,
        }  # fmt: skip
        assert {path.lstat().st_uid for path in kept.rglob("*")} == {os.geteuid()}
        assert os.listxattr(kept / "caps") == []
        assert (kept / "etc/mtab").is_symlink()
        assert (kept / "CHECKSUM").read_text() == f"{ONE.checksum}\n"
    assert (tmp_path / "kept").read_text() == "mine"


def test_bombs(tmp_path: Path) -> None:
    zeros = file("t/zeros", bytes(8 << 20))
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(compressed(tar([zeros]), "tar.gz"))
    many = tmp_path / "many.tar.gz"
    many.write_bytes(compressed(tar([file(f"t/{number}", b"") for number in range(99)]), "tar.gz"))
    hole = tarfile.TarInfo("t/hole")
    facts = {"major": "1", "minor": "0", "name": "t/hole", "realsize": str(1 << 40)}
    hole.pax_headers = {f"GNU.sparse.{name}": value for name, value in facts.items()}
    sparse = tmp_path / "sparse.tar.gz"
    body = b"1\n0\n0\n".ljust(512, b"\0")
    hole.size = len(body)
    block = hole.tobuf(tarfile.PAX_FORMAT) + body + bytes(1024)
    sparse.write_bytes(compressed(block, "tar.gz"))
    for number, (bomb, bounds, said) in enumerate((
        (archive, Bounds(ratio=100, ratio_from=1 << 20), "larger than"),
        (archive, Bounds(size=1 << 20), "larger than"),
        (many, Bounds(entries=50), "more than 50 entries"),
        (sparse, Bounds(size=1 << 20), "t/hole"),
    )):  # fmt: skip
        target = tmp_path / str(number)
        target.mkdir()
        with pytest.raises(BadArchiveError, match=said):
            unpack_archive(bomb, target, bounds=bounds)
        assert sum(path.stat().st_size for path in target.iterdir()) < 3 << 20


def test_what_comes_behind_the_end_is_bounded(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(compressed(tar([file("t/x")]) + bytes(8 << 20), "tar.gz"))
    verify_archive(archive)
    target = tmp_path / "target"
    target.mkdir()
    for read in (partial(unpack_archive, archive, target), partial(verify_archive, archive)):
        with pytest.raises(BadArchiveError, match="holds more than"):
            read(bounds=Bounds(size=1 << 20))
