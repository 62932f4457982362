"""What programs and packages say of variables, taken or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.artifact.using.environment import read_variables
from lapstrake.errors import ToolchainError

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def test_variables_of_a_platform() -> None:
    assert read_variables(b' {"A": "1", "_b2": "x\\ny"}\n', "it") == {"A": "1", "_b2": "x\ny"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"A=1", b"[]", b'"A"', b"null", b'{"A": 1}', b'{"A": null}', b'{"A": {"B": "C"}}',
        b'{"": "x"}', b'{"A B": "x"}', b'{"A=B": "x"}', b'{"A\\n": "x"}', b'{"1A": "x"}',
        b'{"A": "\\u0000"}', b'{"A": "\\ud800"}', b"\xff", b"[" * 100_000,
        b'{"A": "%s"}' % (b"x" * (1 << 20)),
    ],
)  # fmt: skip
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(ToolchainError, match=r"^it"):
        read_variables(data, "it")


@given(_JSON)
def test_any_json_is_variables_or_refused(value: object) -> None:
    try:
        found = read_variables(json.dumps(value).encode(), "it")
    except ToolchainError:
        return
    assert found == value
    assert all(name.isidentifier() and name.isascii() for name in found)


@given(st.binary(max_size=30))
def test_any_bytes_are_variables_or_refused(data: bytes) -> None:
    try:
        read_variables(data, "it")
    except ToolchainError:
        return
