"""Texts that are signed: believed by who signed them, for one purpose, for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.web.signed import Seal

_KEY = b"k" * 32
_CLAIMS = st.dictionaries(st.text(), st.text() | st.integers() | st.booleans())


def _seal(purpose: str = "session", *, key: bytes = _KEY, now: float = 1000.0) -> Seal:
    return Seal(key=key, purpose=purpose, seconds=60, clock=lambda: now)


@given(_CLAIMS.filter(lambda claims: "until" not in claims))
def test_what_was_signed_is_read_for_a_while(claims: dict[str, object]) -> None:
    text = _seal().sign(claims)
    assert _seal(now=1060).read(text) == {**claims, "until": 1060}
    assert _seal(now=1060.5).read(text) is None


@pytest.mark.parametrize("other", [_seal("registry"), _seal(key=b"l" * 32)])
def test_nobody_elses_is_believed(other: Seal) -> None:
    assert _seal().read(other.sign({"name": "ann"})) is None


@given(st.text(), st.integers(0, 200))
def test_what_was_changed_is_not_believed(text: str, place: int) -> None:
    assert _seal().read(text) is None
    signed = _seal().sign({"name": "ann"})
    place %= len(signed)
    letter = "A" if signed[place] != "A" else "B"
    assert _seal().read(signed[:place] + letter + signed[place + 1 :]) is None
