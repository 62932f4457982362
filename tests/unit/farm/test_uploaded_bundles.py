"""Uploaded archives: what is one bundle, what it is called, what harms."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.bundle.base import BundleFormat
from lapstrake.errors import BundleError
from lapstrake.farm.contents.bundles import CheckedBundle, check_bundle, unpack_bundle
from lapstrake.farm.contents.pack import pack_bundle
from lapstrake.farm.contents.store import ContentStore
from lapstrake.farm.problems import Invalid, Unknown
from lapstrake.farm.values.tasks import TaskKind

_NATIVE = """[package]
name = "tiny"
version = "1.5"
description = "a test"
maintainer = "Nobody <nobody@example.org>"

[steps]
install = "true"
"""
_CONTROL = """Source: debby
Section: misc
Priority: optional
Maintainer: Nobody <nobody@example.org>
Build-Depends: debhelper-compat (= 13)

Package: debby
Architecture: all
Description: a test
"""
_CHANGELOG = """debby (2.0-1) unstable; urgency=low

  * A test.

 -- Nobody <nobody@example.org>  Fri, 20 Nov 2026 10:00:00 +0000
"""
NATIVE = {"lapstrake.toml": _NATIVE}
AOSC = {
    "spec": "VER=3.1\nDUMMYSRC=1\n",
    "autobuild/defines": "PKGNAME=aosky\nPKGSEC=misc\nPKGDES=a\n",
}
DEBIAN = {
    "debian/control": _CONTROL,
    "debian/changelog": _CHANGELOG,
    "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n",
    "debian/source/format": "3.0 (native)\n",
}
_LIMIT = 16 << 20


@pytest.fixture
def contents(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "contents", upload_limit=1 << 30, disk_low=0)


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return folder


def tarred(files: Mapping[str, str | bytes], top: str = "", mode: str = "w:gz") -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode=mode) as tar:  # type: ignore[call-overload]
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            entry = tarfile.TarInfo(f"{top}{name}")
            entry.size, entry.mtime = len(data), 1_700_000_000
            tar.addfile(entry, io.BytesIO(data))
    return output.getvalue()


def zipped(files: Mapping[str, str | bytes], top: str = "") -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(f"{top}{name}", (2023, 11, 14, 22, 13, 20))
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return output.getvalue()


def added(contents: ContentStore, data: bytes) -> str:
    file = contents.scratch / "sent"
    file.write_bytes(data)
    return contents.add_file(file)


def checked(contents: ContentStore, data: bytes, **options: object) -> CheckedBundle:
    try:
        return check_bundle(contents, added(contents, data), limit=_LIMIT, **options)  # type: ignore[arg-type]
    finally:
        assert list(contents.scratch.iterdir()) == [], "nothing may be left there"


@pytest.mark.parametrize(
    ("files", "name", "version", "format"),
    [
        (NATIVE, "tiny", "1.5-1", BundleFormat.NATIVE),
        (AOSC, "aosky", "3.1", BundleFormat.AOSC),
        (DEBIAN, "debby", "2.0-1", BundleFormat.DEBIAN),
    ],
)
def test_formats(
    contents: ContentStore, files: Mapping[str, str], name: str, version: str, format: BundleFormat
) -> None:
    found = [
        checked(contents, tarred(files, "folder/")),
        checked(contents, tarred(files, mode="w:xz"), name="x/folder"),
        checked(contents, tarred(files, "./", mode="w"), name="folder"),
        checked(contents, zipped(files, "folder/")),
    ]
    assert {each.name for each in found} == {name}
    assert {each.version.removesuffix("-0") for each in found} == {version}
    assert {each.format for each in found} == {format}
    assert len({each.digest for each in found}) == 1, "equal folders, unequal digests"
    assert contents.size(found[0].digest)


def test_client_and_server_pack_alike(contents: ContentStore, tmp_path: Path) -> None:
    folder = tree(tmp_path / "bundle", AOSC)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("[core]\n\tfsmonitor = /bin/false\n")
    packed = tmp_path / "packed"
    digest = pack_bundle(folder, packed)
    assert checked(contents, packed.read_bytes(), name="bundle").digest == digest
    unpacked = unpack_bundle(packed, tmp_path / "there", limit=_LIMIT)
    assert pack_bundle(unpacked, packed) == digest
    assert sorted(path.name for path in unpacked.iterdir()) == ["autobuild", "spec"]


@given(
    st.dictionaries(
        st.text("abc.-", min_size=1, max_size=5).filter(lambda name: name.strip(".")),
        st.binary(max_size=20),
        max_size=5,
    ),
    st.integers(0, 2**31),
)
def test_digest_is_of_names_content_and_time(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], when: int
) -> None:
    top = tmp_path_factory.mktemp("packing")
    digests = set()
    for number, order in enumerate((list(files), list(reversed(files)))):
        folder = top / str(number)
        folder.mkdir(mode=0o700 + number)
        for name in order:
            (folder / name).write_bytes(files[name])
            os.utime(folder / name, (when, when))
        digests.add(pack_bundle(folder, top / "packed"))
    assert len(digests) == 1
    if files:
        name = next(iter(files))
        (top / "0" / name).write_bytes(files[name] + b"!")
        os.utime(top / "0" / name, (when, when))
        assert pack_bundle(top / "0", top / "packed") not in digests


def test_a_pipe_is_not_packed(tmp_path: Path) -> None:
    folder = tree(tmp_path / "bundle", NATIVE)
    os.mkfifo(folder / "pipe")
    with pytest.raises(BundleError, match="pipe"):
        pack_bundle(folder, tmp_path / "packed")


def test_projects(contents: ContentStore) -> None:
    text = '[package]\nname = "my_system"\nversion = "0.1"\ntype = "system"\n'
    found = checked(contents, tarred({"lapstrake.toml": text}, "p/"), kind=TaskKind.ARTIFACT)
    assert (found.name, found.format) == ("my_system", None)
    with pytest.raises(Invalid, match=r"lapstrake\.toml"):
        checked(contents, tarred({"README": "hi"}, "p/"), kind=TaskKind.ARTIFACT)


def _linked(target: str, *, hard: bool = False) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as tar:
        entry = tarfile.TarInfo("b/link")
        entry.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
        entry.linkname = target
        tar.addfile(entry)
    return output.getvalue()


def _device() -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        entry = tarfile.TarInfo("b/null")
        entry.type = tarfile.CHRTYPE
        tar.addfile(entry)
    return output.getvalue()


_ZEROS = bytes(64 << 20)
HOSTILE = {
    "outside": (tarred({"../x": ""}), "outside"),
    "absolute": (tarred({"/etc/x": ""}), "absolute"),
    "a link outside": (_linked("/etc/passwd"), "links outside"),
    "a link above": (_linked("../../x"), "outside"),
    "a hard link outside": (_linked("/etc/passwd", hard=True), "link"),
    "a device": (_device(), "device"),
    "a bomb of gzip": (tarred({"b/zeros": _ZEROS}), "larger than"),
    "a bomb of zip": (zipped({"b/zeros": _ZEROS}), "larger than"),
    "cut": (tarred(NATIVE, "b/")[:-60], "damaged"),
    "text": (b"hello", "no archive"),
    "nothing": (b"", "no archive"),
    "no bundle": (tarred({"b/README": "hi"}), "no bundle"),
    "an empty folder": (tarred({}), "no bundle"),
    "wrong": (tarred({"lapstrake.toml": "x = 1"}, "b/"), r"lapstrake\.toml:1"),
    "two descriptions": (tarred({"a.dsc": "", "b.dsc": ""}), "2 .dsc"),
}


@pytest.mark.parametrize("attack", list(HOSTILE))
def test_hostile(contents: ContentStore, tmp_path: Path, attack: str) -> None:
    data, said = HOSTILE[attack]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(Invalid, match=said) as refused:
        checked(contents, data)
    assert refused.value.resolution
    assert str(tmp_path) not in f"{refused.value}{refused.value.fields}"
    assert sorted(tmp_path.iterdir()) == before


def test_many_at_once(contents: ContentStore) -> None:
    bundles = [NATIVE, AOSC, DEBIAN] * 4
    digests = [added(contents, tarred(files, f"b{n}/")) for n, files in enumerate(bundles)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda digest: check_bundle(contents, digest, limit=_LIMIT), digests))
    assert [each.name for each in found] == ["tiny", "aosky", "debby"] * 4
    assert len({each.digest for each in found}) == 3
    assert list(contents.scratch.iterdir()) == []


def test_unknown_content(contents: ContentStore) -> None:
    with pytest.raises(Unknown):
        check_bundle(contents, "sha256:" + "0" * 64, limit=_LIMIT)
