"""xz streams are read as the lzma module reads them, but for those that want all memory."""

from __future__ import annotations

import io
import lzma
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.formats.xz import XzReader


def read(data: bytes, piece: int = 1 << 16) -> bytes:
    return io.BufferedReader(XzReader(io.BytesIO(data)), piece).read()


@given(
    parts=st.lists(st.binary(max_size=3000), min_size=1, max_size=3),
    padding=st.integers(0, 3),
    piece=st.integers(1, 5000),
)
def test_streams_one_behind_the_other(parts: list[bytes], padding: int, piece: int) -> None:
    packed = bytes(4 * padding).join(lzma.compress(part) for part in parts)
    assert read(packed, piece) == b"".join(parts)
    assert read(packed + b"garbage") == b"".join(parts)


def test_old_streams_and_large_ones() -> None:
    data = bytes(range(256)) * 4000
    assert read(lzma.compress(data, lzma.FORMAT_ALONE)) == data
    assert read(lzma.compress(data)) == data


@given(st.data())
def test_cuts_and_damage_are_noticed(data: st.DataObject) -> None:
    packed = lzma.compress(b"some text " * 50)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises((EOFError, lzma.LZMAError)):
        read(packed[:cut])
    place = data.draw(st.integers(0, len(packed) - 1))
    broken = packed[:place] + bytes([packed[place] ^ 0x10]) + packed[place + 1 :]
    with pytest.raises((EOFError, lzma.LZMAError)):
        read(broken)


def test_a_header_that_wants_all_memory_is_refused() -> None:
    """A dictionary of 1.5 GiB in the block's header (xz-file-format 1.2, 5.3.1)."""
    packed = bytearray(lzma.compress(b"x"))
    size = (packed[12] + 1) * 4
    filters = packed.index(b"\x21\x01", 12)
    packed[filters + 2] = 37
    header = bytes(packed[12 : 12 + size - 4])
    packed[12 + size - 4 : 12 + size] = zlib.crc32(header).to_bytes(4, "little")
    assert lzma.decompress(bytes(packed)) == b"x"
    with pytest.raises(lzma.LZMAError, match=r"[Mm]emory usage limit"):
        read(bytes(packed))
