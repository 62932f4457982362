"""Plain headers of tar are read as tarfile reads them, or left to it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.formats.archive_entry import ArchiveDamaged, ArchiveEntry, EntryKind
from lapstrake.formats.tar_header import BLOCK, read_plain
from lapstrake.source.readers import MeteredStream, read_tar

KINDS = {
    tarfile.REGTYPE: EntryKind.FILE,
    tarfile.DIRTYPE: EntryKind.FOLDER,
    tarfile.LNKTYPE: EntryKind.HARD_LINK,
    tarfile.SYMTYPE: EntryKind.SYMLINK,
}
FORMATS: st.SearchStrategy[Literal[0, 1, 2]] = st.sampled_from((0, 1, 2))


NOT_READ = {*range(108, 124), *range(329, 345)}
"""Owners and numbers of devices, which mean nothing here whatever they are."""


def _names(longest: int) -> st.SearchStrategy[str]:
    letters = st.sampled_from("ab/. éß\udcff")
    return st.text(letters, min_size=1, max_size=longest)


@st.composite
def infos(draw: st.DrawFn) -> tarfile.TarInfo:
    info = tarfile.TarInfo(draw(_names(180)))
    info.type = draw(st.sampled_from((*KINDS, tarfile.AREGTYPE, tarfile.FIFOTYPE, b"7", b"S")))
    info.mode = draw(st.integers(0, 0o7777))
    info.mtime = draw(st.integers(0, 1 << 34))
    info.size = draw(st.integers(0, 1 << 34)) if info.isreg() else 0
    info.linkname = draw(_names(90)) if info.islnk() or info.issym() else ""
    return info


def _same(block: bytes) -> bool:
    """Whether a block is plain; and then tarfile says the same of it."""
    plain = read_plain(block)
    if plain is None:
        return False
    theirs = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    ours = (plain.name, plain.kind, plain.mode, plain.mtime, plain.size, plain.target)
    assert ours == (
        theirs.name, KINDS[theirs.type], theirs.mode & 0o7777, theirs.mtime, theirs.size,
        theirs.linkname,
    )  # fmt: skip
    return True


@given(info=infos(), kind=FORMATS, place=st.integers(0, BLOCK - 1), byte=st.integers(0, 255))
def test_what_is_plain_is_read_as_tarfile_reads_it(
    info: tarfile.TarInfo, kind: Literal[0, 1, 2], place: int, byte: int
) -> None:
    try:
        blocks = info.tobuf(kind, "utf-8", "surrogateescape")
    except ValueError:  # ustar has no room for it
        return
    last = blocks[-BLOCK:]
    plain = _same(last)
    if (
        info.type in KINDS
        and len(blocks) == BLOCK
        and info.name.isascii()
        and kind == tarfile.USTAR_FORMAT
    ):
        assert plain
    changed = bytearray(last)
    changed[place] = byte
    assert bytes(changed) == last or not _same(bytes(changed))
    if place in NOT_READ:
        return
    changed[148:156] = b"%06o\0 " % (sum(changed) - sum(changed[148:156]) + 256)
    _same(bytes(changed))


def test_what_is_left_to_tarfile() -> None:
    assert read_plain(bytes(BLOCK)) is None
    assert read_plain(b"") is None
    assert read_plain(tarfile.TarInfo("x").tobuf()[:-1]) is None


def _entries(data: bytes) -> Iterator[ArchiveEntry]:
    return read_tar(MeteredStream(io.BytesIO(data)), marked_end=True)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_plain_headers_and_others_by_turns(form: int) -> None:
    """A long name takes headers of its own, and stands between plain ones."""
    names = [f"{'long/' * (40 if number % 3 == 1 else 1)}{number}" for number in range(8)]
    names = [name if form != tarfile.USTAR_FORMAT else name[-90:].lstrip("/") for name in names]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 700 * number
            archive.addfile(info, io.BytesIO(bytes([number]) * info.size))
    read = [
        (entry.name, bytes(entry.read(1 << 20)) if entry.read and number % 2 else b"")
        for number, entry in enumerate(_entries(file.getvalue()))
    ]
    assert read == [
        (name, bytes([number]) * 700 * number if number % 2 else b"")
        for number, name in enumerate(names)
    ]


def test_what_a_header_for_all_says_is_heard() -> None:
    file = io.BytesIO()
    headers = {"mtime": "1234"}
    with tarfile.open(fileobj=file, mode="w", pax_headers=headers) as archive:
        for name in "abc":
            archive.addfile(tarfile.TarInfo(name))
    assert [entry.mtime for entry in _entries(file.getvalue())] == [1234] * 3


@pytest.mark.parametrize("cut", [512, 700, 1024, 1100, 1536, 1800])
def test_an_archive_that_is_cut_short(cut: int) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in "abc":
            info = tarfile.TarInfo(name)
            info.size = 10
            archive.addfile(info, io.BytesIO(b"0123456789"))
    with pytest.raises((ArchiveDamaged, tarfile.TarError)):
        list(_entries(file.getvalue()[:cut]))
