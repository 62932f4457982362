"""What registries say when they want to know who we are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.oci.authorization import parse_challenges


@pytest.mark.parametrize(
    "header, found",
    [
        ("", {}),
        ('Basic realm="a b"', {"basic": {"realm": "a b"}}),
        (
            'Bearer realm="https://t.example/token",service="s",scope="repository:a/b:pull,push"',
            {
                "bearer": {
                    "realm": "https://t.example/token",
                    "service": "s",
                    "scope": "repository:a/b:pull,push",
                }
            },
        ),
        (
            'BEARER Realm=https://t.example , error="invalid \\"token\\"", Basic realm=x',
            {
                "bearer": {"realm": "https://t.example", "error": 'invalid "token"'},
                "basic": {"realm": "x"},
            },
        ),
        ("Negotiate, Basic", {"negotiate": {}, "basic": {}}),
    ],
)
def test_challenges(header: str, found: dict[str, dict[str, str]]) -> None:
    assert parse_challenges(header) == found


@given(st.text())
def test_any_header(header: str) -> None:
    for scheme, parameters in parse_challenges(header).items():
        assert scheme == scheme.lower()
        assert all(parameters.values())
