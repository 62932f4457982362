"""xz files made of blocks, read by liblzma and by xz itself."""

from __future__ import annotations

import lzma
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.formats.blockxz import compress_blocks, read_blocks

SECTIONS = st.lists(st.binary(min_size=1, max_size=300), max_size=8, unique=True)


@given(sections=SECTIONS)
def test_liblzma_reads_it_and_its_blocks_are_found_again(sections: list[bytes]) -> None:
    text = b"".join(sections)
    packed = compress_blocks(sections, {})
    assert lzma.decompress(packed, format=lzma.FORMAT_XZ) == text
    blocks = read_blocks(packed, text)
    assert sorted(blocks) == sorted(sections)
    assert compress_blocks(sections, blocks) == packed


@given(before=SECTIONS, after=SECTIONS)
def test_reused_blocks_give_the_same_bytes_as_new_ones(
    before: list[bytes], after: list[bytes]
) -> None:
    known = read_blocks(compress_blocks(before, {}), b"".join(before))
    after += before[::2]
    assert compress_blocks(after, known) == compress_blocks(after, {})


def test_a_large_section_has_large_numbers_in_the_table() -> None:
    sections = [bytes(range(256)) * 9000, b"x" * 70_000]
    packed = compress_blocks(sections, {})
    assert lzma.decompress(packed) == b"".join(sections)
    assert len(read_blocks(packed, b"".join(sections))) == 2


def test_files_of_another_make_have_no_blocks() -> None:
    text = b"text"
    for packed in (b"", b"junk" * 20, lzma.compress(text, check=lzma.CHECK_CRC32)):
        assert read_blocks(packed, text) == {}
    assert read_blocks(compress_blocks([text], {}), text + b"more") == {}


@pytest.mark.skipif(shutil.which("xz") is None, reason="needs xz")
def test_xz_tests_it_and_counts_its_blocks() -> None:
    packed = compress_blocks([b"one" * 999, b"two", b"three"], {})
    out = subprocess.run(["xz", "-dc"], input=packed, capture_output=True, check=True).stdout
    assert out == b"one" * 999 + b"two" + b"three"
