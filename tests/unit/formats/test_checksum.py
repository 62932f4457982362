"""Checksums as bundles write them."""

from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import BundleError
from lapstrake.formats.checksum import ALGORITHMS, hash_stream, parse_digest


@given(st.sampled_from(ALGORITHMS), st.binary(max_size=2000), st.sampled_from([":", "::"]))
def test_what_is_hashed_can_be_written_and_read(algorithm: str, data: bytes, colons: str) -> None:
    digest = hash_stream(io.BytesIO(data), [algorithm, "sha256"]).digest(algorithm)
    assert digest.hex == hashlib.new(algorithm, data).hexdigest()
    assert parse_digest(f"{algorithm.upper()}{colons}{digest.hex.upper()}") == digest


@pytest.mark.parametrize(
    ("text", "why"),
    [("abc", "not a checksum"), ("crc32::12345678", "'crc32' is unknown"),
     ("whirlpool::00", "'whirlpool' is unknown"), ("sha256::12", "64 hexadecimal digits"),
     ("sha256::" + "g" * 64, "64 hexadecimal digits"), ("", "not a checksum")],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(BundleError, match=f"spec:4: .*{why}"):
        parse_digest(text, origin="spec:4")
