"""lzip streams, against the program lzip."""

from __future__ import annotations

import io
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.formats.lzip import LzipError, LzipReader

pytestmark = pytest.mark.skipif(not shutil.which("lzip"), reason="the program lzip is missing")


def pack(data: bytes, *options: str) -> bytes:
    argv = ["lzip", "-c", *options]
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


def read(data: bytes) -> bytes:
    return io.BufferedReader(LzipReader(io.BytesIO(data))).read()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.binary(max_size=3000), min_size=1, max_size=3), st.sampled_from(["-0", "-6", "-9"])
)
def test_members_one_after_another(pieces: list[bytes], level: str) -> None:
    assert read(b"".join(pack(piece, level) for piece in pieces)) == b"".join(pieces)


def test_trailing_data_is_not_content() -> None:
    assert read(pack(b"text") + b"\0" * 100) == b"text"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    whole = bytearray(PACKED)
    # The header's dictionary size may be larger than needed, so it is left alone.
    place = data.draw(st.sampled_from([*range(5), *range(6, len(whole) - 8)]))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(LzipError):
        read(bytes(whole))


@given(st.integers(0, 10_000))
def test_a_cut_is_noticed(length: int) -> None:
    with pytest.raises(LzipError):
        read(PACKED[: length % len(PACKED)])


PACKED = pack(bytes(range(256)) * 20) if shutil.which("lzip") else b""
