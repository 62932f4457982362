"""Packages read as hostile data; real ones are made by dpkg-deb."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapstrake.errors import BundleError, PackError
from lapstrake.formats.deb import read_deb
from lapstrake.formats.debversion import compare_versions, is_version, version_key

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")

CONTROL = """Package: hello
Version: 1:2.10-3
Architecture: amd64
Maintainer: A Person <a@example.org>
Depends: libc6 (>= 2.36)
Description: greets
 A long text
 .
 in two paragraphs.
"""


MAGIC = ("debian-binary", b"2.0\n")


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def ar_of(members: list[tuple[str, bytes]]) -> bytes:
    text = b"!<arch>\n"
    for name, data in members:
        text += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        text += data + b"\n" * (len(data) % 2)
    return text


def deb_of(control: str | bytes, *, suffix: str = "") -> bytes:
    raw = control if isinstance(control, bytes) else control.encode()
    packed = tar_of({"./md5sums": b"", "./control": raw})
    if suffix == ".xz":
        packed = lzma.compress(packed)
    return ar_of(
        [
            ("debian-binary", b"2.0\n"),
            (f"control.tar{suffix}", packed),
            ("data.tar", tar_of({"./usr/bin/hello": b"#!"})),
        ]
    )


def write(tmp_path: Path, content: bytes, name: str = "hello_2.10-3_amd64.deb") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def build(tmp_path: Path, *options: str) -> Path:
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(CONTROL)
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "usr" / "bin" / "hello").write_text("#!/bin/sh\n")
    (root / "usr" / "bin" / "hello").chmod(0o4755)
    (root / "usr" / "bin" / "hi").symlink_to("hello")
    path = tmp_path / "hello_2.10-3_amd64.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", *options, "-b", str(root), str(path)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return path


@needs_dpkg
@pytest.mark.parametrize("compression", ["none", "gzip", "xz", "zstd"])
@pytest.mark.parametrize("uniform", ["--uniform-compression", "--no-uniform-compression"])
def test_reads_what_dpkg_deb_builds(tmp_path: Path, compression: str, uniform: str) -> None:
    path = build(tmp_path, f"-Z{compression}", uniform)
    deb = read_deb(path)
    assert (deb.package, deb.version, deb.architecture) == ("hello", "1:2.10-3", "amd64")
    assert deb.size == path.stat().st_size
    assert deb.field("depends") == "libc6 (>= 2.36)"
    assert deb.field("Description") == "greets\n A long text\n .\n in two paragraphs."
    assert deb.field("Nothing") is None


def test_several_compressed_streams_are_one(tmp_path: Path) -> None:
    packed = tar_of({"./control": CONTROL.encode()})
    pieces = lzma.compress(packed[:700]) + lzma.compress(packed[700:])
    members = [MAGIC, ("control.tar.xz", pieces), ("data.tar", b"")]
    assert read_deb(write(tmp_path, ar_of(members))).package == "hello"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is not a .deb"),
        (b"<html>not found</html>", "is not a .deb"),
        (b"!<arch>\n", "debian-binary"),
        (ar_of([("debian-binary", b"2.0\n")]), "has no data.tar"),
        (ar_of([("debian-binary", b"3.0\n"), ("data.tar", b"")]), "format 2"),
        (ar_of([("control.tar", b""), ("debian-binary", b"2.0\n")]), "not its first member"),
        (
            ar_of([("debian-binary", b"2.0\n"), ("data.tar", b"")]),
            "has no control.tar",
        ),
        (
            ar_of([MAGIC, ("control.tar.br", b"x"), ("data.tar", b"")]),
            "'.br' is unknown",
        ),
        (
            ar_of([MAGIC, ("control.tar.gz", b"junk"), ("data.tar", b"")]),
            "is damaged",
        ),
        (
            ar_of([MAGIC, ("control.tar.xz", b"junk!junk!"), ("data.tar", b"")]),
            "is damaged",
        ),
        (
            ar_of([MAGIC, ("control.tar.zst", b"junk"), ("data.tar", b"")]),
            "is damaged",
        ),
        (
            ar_of([MAGIC, ("control.tar.zst", b""), ("data.tar", b"")]),
            "is truncated",
        ),
        (
            ar_of([MAGIC, ("control.tar", tar_of({"x": b""})), ("data.tar", b"")]),
            "has no control file",
        ),
        (deb_of(CONTROL.replace("hello", "../hello")), "not a package name"),
        (deb_of(CONTROL.replace("hello", "Hello")), "not a package name"),
        (deb_of(CONTROL.replace("1:2.10-3", "v2")), "not a version"),
        (deb_of(CONTROL.replace("1:2.10-3", "2 3")), "not a version"),
        (deb_of(CONTROL.replace("amd64", "amd_64")), "not an architecture"),
        (deb_of(CONTROL.replace("Version: 1:2.10-3\n", "")), "has no Version"),
        (deb_of(CONTROL.replace("amd64", "arm64")), "the package in it is for arm64"),
        (deb_of(CONTROL.replace("hello", "bye")), "the package in it is called bye"),
        (deb_of(CONTROL + "\nPackage: evil\n"), "control:10"),
        (deb_of(CONTROL + "version: 3\n"), "a second version"),
        (deb_of(CONTROL + "just text\n"), "is not a field"),
        (deb_of(" continues\n" + CONTROL), "continues nothing"),
        (deb_of(CONTROL + " \nX: y\n"), "continues nothing"),
        (deb_of(CONTROL + "X: a\x00b\n"), "control characters"),
        (deb_of(CONTROL + "X: a\rPackage: b\n"), "control characters"),
        (deb_of(CONTROL.encode() + b"X: \xff\n"), "not UTF-8"),
        (deb_of(CONTROL + "X: " + "y" * (1 << 20) + "\n"), "its control file has"),
    ],
)  # fmt: skip
def test_says_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(PackError) as caught:
        read_deb(path)
    assert message in caught.value.brief
    assert caught.value.brief.startswith(path.name)


@pytest.mark.parametrize(
    "name", ["hello.deb", "hello_1.deb", "a_b_c_d.deb", "hello_2.10-3_amd64.udeb", "-x_1_amd64.deb"]
)
def test_the_files_name_must_be_the_packages(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, deb_of(CONTROL), name)
    with pytest.raises(BundleError):
        read_deb(path, error=BundleError)
    assert read_deb(path, check_file_name=False).package == "hello"


def test_aosc_calls_all_noarch(tmp_path: Path) -> None:
    path = write(tmp_path, deb_of(CONTROL.replace("amd64", "all")), "hello_2.10-3_noarch.deb")
    assert read_deb(path).architecture == "all"


def test_refuses_links_and_fifos_and_missing_files(tmp_path: Path) -> None:
    real = write(tmp_path, deb_of(CONTROL))
    (tmp_path / "link.deb").symlink_to(real)
    os.mkfifo(tmp_path / "fifo.deb")
    for name in ("link.deb", "fifo.deb", "missing.deb"):
        with pytest.raises(PackError):
            read_deb(tmp_path / name)


def test_every_truncation_is_told(tmp_path: Path) -> None:
    whole = deb_of(CONTROL, suffix=".xz")
    for end in range(0, len(whole) - 1, 97):
        path = write(tmp_path, whole[:end])
        with pytest.raises(PackError):
            read_deb(path)


def test_a_bomb_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = lzma.compress(tar_of({"./zeros": bytes(8 << 20), "./control": CONTROL.encode()}))
    path = write(tmp_path, ar_of([MAGIC, ("control.tar.xz", bomb), ("data.tar", b"")]))
    assert read_deb(path).package == "hello"
    monkeypatch.setattr("lapstrake.formats.deb._CONTROL_TAR_LIMIT", 1_000_000)
    with pytest.raises(PackError, match="more than 1000000 bytes"):
        read_deb(path)


def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 3 << 30
    packed = info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
    path = write(tmp_path, ar_of([MAGIC, ("control.tar", packed), ("data.tar", b"")]))
    with pytest.raises(PackError, match="a header claims"):
        read_deb(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damage_is_a_pack_error_or_nothing(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(deb_of(CONTROL, suffix=data.draw(st.sampled_from(["", ".xz"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path, bytes(whole))
    with suppress(PackError):  # anything else would be a traceback
        assert read_deb(path).package == "hello"


VERSIONS = st.from_regex(r"\A([0-9]:)?[0-9][a-c0-9.+~-]{0,8}\Z").filter(is_version)


@needs_dpkg
@settings(max_examples=60, deadline=None)
@given(left=VERSIONS, right=VERSIONS)
def test_versions_compare_as_dpkg_says(left: str, right: str) -> None:
    def dpkg(relation: str) -> bool:
        words = ["dpkg", "--compare-versions", left, relation, right]
        return subprocess.run(words, stderr=subprocess.DEVNULL).returncode == 0

    order = compare_versions(left, right)
    assert dpkg({-1: "lt", 0: "eq", 1: "gt"}[order])


def test_versions_sort() -> None:
    versions = ["1:0.1", "1.0", "1.0~pre20250101T000000Z", "1.0-1", "1.0+b1", "0.9"]
    assert sorted(versions, key=version_key) == [
        "0.9", "1.0~pre20250101T000000Z", "1.0", "1.0-1", "1.0+b1", "1:0.1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "a", "1 2", "1/2", ":1", "1_2", "1\n", "a:1", "1-", "0:1:1", "1" * 300]
)
def test_what_is_no_version(text: str) -> None:
    assert not is_version(text)
