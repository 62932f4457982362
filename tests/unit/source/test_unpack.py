"""Unpacking: every kind of archive, by content; and every kind of attack, refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.errors import BundleError, UnpackError
from lapstrake.source.unpack import UnpackBounds, choose_subdir, unpack


def tar_bytes(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, target, mode, 1_000_000_000
    return info


def plain_tar() -> bytes:
    return tar_bytes(
        (member("hello-1.0", tarfile.DIRTYPE, mode=0o2755), b""),
        (member("hello-1.0/hello.c", mode=0o666), b"int main;\n"),
        (member("hello-1.0/configure", mode=0o4775), b"#!/bin/sh\n"),
        (member("hello-1.0/link", tarfile.SYMTYPE, "hello.c"), b""),
        (member("hello-1.0/hard", tarfile.LNKTYPE, "hello-1.0/hello.c"), b""),
        (member("hello-1.0/" + "long" * 60), b"long\n"),
    )


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


def lzip(data: bytes) -> bytes:
    return subprocess.run(["lzip", "-c"], input=data, capture_output=True, check=True).stdout


needs_lzip = pytest.mark.skipif(not shutil.which("lzip"), reason="the program lzip is missing")
needs_zstd = pytest.mark.skipif(not shutil.which("zstd"), reason="the program zstd is missing")
needs_7z = pytest.mark.skipif(not shutil.which("7z"), reason="the program 7z is missing")
COMPRESSORS = [
    pytest.param(bytes, id="none"),
    pytest.param(gzip.compress, id="gzip"),
    pytest.param(bz2.compress, id="bzip2"),
    pytest.param(lzma.compress, id="xz"),
    pytest.param(lambda data: lzma.compress(data, lzma.FORMAT_ALONE), id="lzma"),
    pytest.param(lzip, id="lzip", marks=needs_lzip),
    pytest.param(zstd, id="zstd", marks=needs_zstd),
]


@pytest.mark.parametrize("compress", COMPRESSORS)
def test_tars_however_compressed(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    archive = write(tmp_path / "1.0.bin", compress(plain_tar()))
    unpack(archive, tmp_path / "out")
    top = tmp_path / "out" / "hello-1.0"
    assert (top / "hello.c").read_bytes() == b"int main;\n"
    assert str((top / "link").readlink()) == "hello.c"
    assert (top / "hard").stat().st_ino == (top / "hello.c").stat().st_ino
    assert (top / ("long" * 60)).read_bytes() == b"long\n"
    assert stat.S_IMODE(top.stat().st_mode) == 0o755
    assert stat.S_IMODE((top / "configure").stat().st_mode) == 0o755
    assert stat.S_IMODE((top / "hello.c").stat().st_mode) == 0o644
    assert (top / "hello.c").stat().st_mtime == 1_000_000_000
    assert top.stat().st_mtime == 1_000_000_000
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["hello-1.0"]


@pytest.mark.parametrize("compress", COMPRESSORS)
def test_truncation_at_any_place(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    noise = os.urandom(5000)
    whole = compress(tar_bytes((member("a"), noise), (member("b"), noise)))
    # What comes after the two entries in a tar is padding.
    end = 2 * (512 + 5120) + 1 if compress is bytes else len(whole)
    for length in range(0, end, 512 if compress is bytes else len(whole) // 9):
        archive = write(tmp_path / "cut.tar", whole[:length])
        with pytest.raises(UnpackError):
            unpack(archive, tmp_path / "out")
        assert not list((tmp_path / "out").iterdir()), length


@pytest.mark.parametrize("compress", [p for p in COMPRESSORS if p.id != "none"])
def test_a_single_compressed_file(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    archive = write(tmp_path / "x", compress(b"just text\n"))
    unpack(archive, tmp_path / "out", name="notes.txt.gz")
    assert (tmp_path / "out" / "notes.txt").read_bytes() == b"just text\n"


def test_gnu_and_v7_tars(tmp_path: Path) -> None:
    for format in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        data = bytearray(tar_bytes((member("f"), b"text"), format=format))
        unpack(write(tmp_path / "t", bytes(data)), tmp_path / str(format))
        assert (tmp_path / str(format) / "f").read_bytes() == b"text"
    data[257:265] = b"\0" * 8  # as tar wrote before POSIX
    total = sum(data[:148]) + 8 * 32 + sum(data[156:512])
    data[148:156] = b"%06o\0 " % total
    unpack(write(tmp_path / "t", bytes(data)), tmp_path / "v7")
    assert (tmp_path / "v7" / "f").read_bytes() == b"text"


def zip_bytes(*members: tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40))
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


def test_zip_keeps_modes_links_and_times(tmp_path: Path) -> None:
    data = zip_bytes(
        ("d/", b"", stat.S_IFDIR | 0o755), ("d/run", b"#!", stat.S_IFREG | 0o755),
        ("d/text", b"t", 0), ("d/link", b"text", stat.S_IFLNK | 0o777),
    )  # fmt: skip
    unpack(write(tmp_path / "1.bin", data), tmp_path / "out")
    top = tmp_path / "out" / "d"
    assert stat.S_IMODE((top / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((top / "text").stat().st_mode) == 0o644
    assert str((top / "link").readlink()) == "text"
    assert (top / "run").stat().st_mtime == 1_000_000_000


def test_zip_attacks(tmp_path: Path) -> None:
    for name, content, mode in (
        ("../evil", b"x", 0), ("/evil", b"x", 0), ("l", b"../../etc/passwd", stat.S_IFLNK | 0o777),
        ("fifo", b"", stat.S_IFIFO | 0o644),
    ):  # fmt: skip
        archive = write(tmp_path / "z.zip", zip_bytes((name, content, mode)))
        with pytest.raises(UnpackError, match=r"z\.zip"):
            unpack(archive, tmp_path / "out")


@needs_7z
@pytest.mark.parametrize("kind", ["zip", "7z"])
def test_encrypted_archives_are_named_so(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "secret.txt", b"secret")
    for extra in ([], ["-mhe=on"]) if kind == "7z" else ([],):
        archive = tmp_path / f"sealed{len(extra)}.{kind}"
        argv: list[str | Path] = [
            "7z",
            "a",
            f"-t{kind}",
            "-ppassword",
            *extra,
            archive,
            tmp_path / "secret.txt",
        ]
        subprocess.run(argv, check=True, capture_output=True)
        with pytest.raises(UnpackError) as caught:
            unpack(archive, tmp_path / "out")
        assert "encrypted" in str(caught.value)


@needs_7z
def test_7z(tmp_path: Path) -> None:
    folder = tmp_path / "pack" / "seven-1"
    (folder / "sub").mkdir(parents=True)
    write(folder / "sub" / "file", b"content")
    write(folder / "run", b"#!").chmod(0o755)
    (folder / "link").symlink_to("sub/file")
    argv: list[str | Path] = ["7z", "a", "-snl", tmp_path / "a.7z", "seven-1"]
    subprocess.run(argv, check=True, capture_output=True, cwd=folder.parent)
    unpack(tmp_path / "a.7z", tmp_path / "out")
    top = tmp_path / "out" / "seven-1"
    assert (top / "sub" / "file").read_bytes() == b"content"
    assert str((top / "link").readlink()) == "sub/file"
    assert stat.S_IMODE((top / "run").stat().st_mode) == 0o755
    damaged = bytearray((tmp_path / "a.7z").read_bytes())
    damaged[40] ^= 0xFF
    with pytest.raises(UnpackError, match=r"b\.7z"):
        unpack(write(tmp_path / "b.7z", bytes(damaged)), tmp_path / "out2")


@needs_7z
def test_7z_that_grows_too_large(tmp_path: Path) -> None:
    write(tmp_path / "zeros", bytes(1 << 20))
    subprocess.run(
        ["7z", "a", tmp_path / "a.7z", tmp_path / "zeros"], check=True, capture_output=True
    )
    with pytest.raises(UnpackError, match="1048576 bytes"):
        unpack(tmp_path / "a.7z", tmp_path / "out", bounds=UnpackBounds(size=1 << 19))


def cpio_entry(name: str, data: bytes, mode: int, *, links: int = 1, inode: int = 1) -> bytes:
    raw = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, links, 1_000_000_000, len(data), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def test_cpio(tmp_path: Path) -> None:
    data = (
        cpio_entry("d", b"", stat.S_IFDIR | 0o755)
        + cpio_entry("d/one", b"", stat.S_IFREG | 0o644, links=2, inode=7)
        + cpio_entry("d/two", b"shared", stat.S_IFREG | 0o644, links=2, inode=7)
        + cpio_entry("d/link", b"one", stat.S_IFLNK | 0o777)
    )
    end = cpio_entry("TRAILER!!!", b"", 0)
    unpack(write(tmp_path / "a.cpio.gz", gzip.compress(data + end)), tmp_path / "out")
    assert (tmp_path / "out/d/one").read_bytes() == b"shared"
    assert (tmp_path / "out/d/link").read_bytes() == b"shared"
    for bad in (data, data + end[:50], data + cpio_entry("../x", b"", 0o100644) + end):
        with pytest.raises(UnpackError):
            unpack(write(tmp_path / "b.cpio", bad), tmp_path / "bad")
    assert not list((tmp_path / "bad").iterdir())


def test_old_cpio(tmp_path: Path) -> None:
    def entry(name: str, data: bytes, mode: int) -> bytes:
        head = f"070707{1:06o}{1:06o}{mode:06o}{0:06o}{0:06o}{1:06o}{0:06o}{5:011o}"
        return f"{head}{len(name) + 1:06o}{len(data):011o}{name}\0".encode() + data

    data = entry("file", b"odd", 0o100755) + entry("TRAILER!!!", b"", 0)
    unpack(write(tmp_path / "a.cpio", data), tmp_path / "out")
    assert (tmp_path / "out/file").read_bytes() == b"odd"


def ar_member(name: str, data: bytes, size: str = "") -> bytes:
    head = f"{name:<16}{1:<12}{0:<6}{0:<6}{'100644':<8}{size or len(data):<10}`\n".encode()
    return head + data + b"\n" * (len(data) % 2)


def test_debs_members(tmp_path: Path) -> None:
    data = b"!<arch>\n" + ar_member("debian-binary", b"2.0\n") + ar_member("data.tar/", b"odd")
    unpack(write(tmp_path / "a.deb", data), tmp_path / "out")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == {
        "debian-binary": b"2.0\n", "data.tar": b"odd",
    }  # fmt: skip
    for bad in (data[:-2], data[:-10], b"!<arch>\n" + ar_member("x", b"", "-60"),
                b"!<arch>\n" + ar_member("../x", b"a")):  # fmt: skip
        with pytest.raises(UnpackError):
            unpack(write(tmp_path / "b.deb", bad), tmp_path / "bad")


ATTACKS = {
    "absolute": [(member("/tmp/evil"), b"x")],
    "parent": [(member("a/../../evil"), b"x")],
    "absolute link": [(member("l", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "parent link": [(member("d/l", tarfile.SYMTYPE, "../../x"), b"")],
    "through link": [(member("l", tarfile.SYMTYPE, "."), b""), (member("l/x"), b"x")],
    "link chain": [
        (member("d/e/up", tarfile.SYMTYPE, "../.."), b""),
        (member("out", tarfile.SYMTYPE, "d/e/up/.."), b""),
    ],
    "hard link out": [(member("h", tarfile.LNKTYPE, "/etc/passwd"), b"")],
    "hard link parent": [(member("h", tarfile.LNKTYPE, "../../etc/passwd"), b"")],
    "hard link to link": [
        (member("l", tarfile.SYMTYPE, "x"), b""), (member("h", tarfile.LNKTYPE, "l"), b""),
    ],
    "device": [(member("null", tarfile.CHRTYPE), b"")],
    "block device": [(member("disk", tarfile.BLKTYPE), b"")],
    "fifo": [(member("pipe", tarfile.FIFOTYPE), b"")],
    "file over folder": [(member("d", tarfile.DIRTYPE), b""), (member("d"), b"x")],
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_tars(tmp_path: Path, attack: str) -> None:
    archive = write(tmp_path / "evil.tar", tar_bytes(*ATTACKS[attack]))
    (tmp_path / "deep" / "er").mkdir(parents=True)
    with pytest.raises(UnpackError) as caught:
        unpack(archive, tmp_path / "deep" / "er" / "out")
    assert "evil.tar" in caught.value.brief
    assert ATTACKS[attack][-1][0].name in caught.value.brief
    assert not list((tmp_path / "deep" / "er" / "out").iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "evil.tar"]


def test_checkouts_may_have_links_to_anywhere(tmp_path: Path) -> None:
    archive = write(
        tmp_path / "a.tar", tar_bytes((member("null", tarfile.SYMTYPE, "/dev/null"), b""))
    )
    unpack(archive, tmp_path / "out", bounds=UnpackBounds(outside_links=True))
    assert str((tmp_path / "out" / "null").readlink()) == "/dev/null"


def test_bombs(tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb", gzip.compress(tar_bytes((member("zeros"), bytes(4 << 20)))))
    with pytest.raises(UnpackError, match=r"bomb.*'zeros'.*larger than 1048576 bytes"):
        unpack(bomb, tmp_path / "out", bounds=UnpackBounds(ratio=10, ratio_from=1 << 20))
    with pytest.raises(UnpackError, match="larger than 1000 bytes"):
        unpack(bomb, tmp_path / "out", bounds=UnpackBounds(size=1000))
    many = write(tmp_path / "many", tar_bytes(*[(member(f"{n}"), b"") for n in range(20)]))
    with pytest.raises(UnpackError, match="more than 10 entries"):
        unpack(many, tmp_path / "out", bounds=UnpackBounds(entries=10))
    assert not list((tmp_path / "out").iterdir())


def test_a_header_that_eats_memory(tmp_path: Path) -> None:
    info = member("x")
    info.pax_headers = {"comment": "0" * (1 << 20)}
    archive = write(tmp_path / "a.tar.gz", gzip.compress(tar_bytes((info, b"")), 1))
    with pytest.raises(UnpackError) as caught:
        unpack(archive, tmp_path / "out")
    assert "headers are too large" in str(caught.value)


def test_a_damaged_header_in_the_middle_is_not_the_end(tmp_path: Path) -> None:
    data = bytearray(tar_bytes((member("a"), b"a" * 512), (member("b"), b"b")))
    data[1024 + 148] ^= 1
    with pytest.raises(UnpackError, match="damaged"):
        unpack(write(tmp_path / "a.tar", bytes(data)), tmp_path / "out")


def test_not_an_archive(tmp_path: Path) -> None:
    for content in (b"", b"#!/bin/sh\n", bytes(range(256)) * 8):
        with pytest.raises(UnpackError, match="no archive of a known kind"):
            unpack(write(tmp_path / "script", content), tmp_path / "out")


def test_a_later_entry_replaces_an_earlier_one(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.tar", tar_bytes((member("f"), b"old"), (member("f"), b"new")))
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "f").read_bytes() == b"new"


def test_two_archives_side_by_side(tmp_path: Path) -> None:
    unpack(
        write(tmp_path / "a", tar_bytes((member("d/one"), b"1"), (member("d/s/x"), b"1"))),
        tmp_path / "out",
    )
    unpack(
        write(tmp_path / "b", tar_bytes((member("d/two"), b"2"), (member("d/s/x"), b"2"))),
        tmp_path / "out",
    )
    assert sorted(p.name for p in (tmp_path / "out" / "d").iterdir()) == ["one", "s", "two"]
    assert (tmp_path / "out" / "d" / "s" / "x").read_bytes() == b"2"
    with pytest.raises(UnpackError, match="a file in another source"):
        unpack(write(tmp_path / "c", tar_bytes((member("d/one/x"), b"1"))), tmp_path / "out")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["tar", "gz", "zip", "xz", "bz2"]), st.data())
def test_no_damage_ever_escapes_as_another_error(kind: str, data: st.DataObject) -> None:
    makers: dict[str, Callable[[], bytes]] = {
        "tar": plain_tar, "gz": lambda: gzip.compress(plain_tar()),
        "zip": lambda: zip_bytes(("a/b", b"text" * 50, 0), ("l", b"a", stat.S_IFLNK | 0o777)),
        "xz": lambda: lzma.compress(plain_tar()), "bz2": lambda: bz2.compress(plain_tar()),
    }  # fmt: skip
    broken = bytearray(makers[kind]())
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        archive = write(Path(folder, "archive"), bytes(broken))
        try:
            unpack(archive, Path(folder, "deep", "out"))
        except UnpackError:
            assert not list(Path(folder, "deep", "out").iterdir())
        assert sorted(p.name for p in Path(folder).iterdir()) == ["archive", "deep"]
        assert [p.name for p in Path(folder, "deep").iterdir()] == ["out"]


def test_choosing_the_folder(tmp_path: Path) -> None:
    (tmp_path / "readme").touch()
    assert choose_subdir(tmp_path) == tmp_path
    (tmp_path / "hello-1" / "src").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    assert choose_subdir(tmp_path) == tmp_path / "hello-1"
    assert choose_subdir(tmp_path, "hello-1/src") == tmp_path / "hello-1" / "src"
    assert choose_subdir(tmp_path, ".") == tmp_path
    (tmp_path / "other").mkdir()
    with pytest.raises(BundleError) as caught:
        choose_subdir(tmp_path)
    assert "hello-1/, other/" in str(caught.value)
    with pytest.raises(BundleError, match="no folder 'hello-2'"):
        choose_subdir(tmp_path, "hello-2")
    (tmp_path / "escape").symlink_to("/etc")
    for outside in ("../..", "/etc", "escape"):
        with pytest.raises(BundleError, match="outside"):
            choose_subdir(tmp_path, outside)
