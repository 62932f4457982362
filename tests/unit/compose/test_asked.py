"""Which packages of a root were asked for, and which came along."""

from __future__ import annotations

import pytest

from lapstrake.compose.asked import asked_for
from lapstrake.compose.status import Stanza
from lapstrake.names import Arch

OWN, HOST = Arch.AMD64, Arch.ARM64


def stanza(name: str, arch: str = "amd64", kind: str = "", provides: str = "") -> Stanza:
    fields = {
        "package": name,
        "version": "2-1",
        "architecture": arch,
        "multi-arch": kind,
        "provides": provides,
    }
    return Stanza(fields=fields, text="")


STANZAS = (
    stanza("libc6-dev", "amd64", "same", "libc-dev (= 2-1)"),
    stanza("libc6-dev", "arm64", "same", "libc-dev (= 2-1)"),
    stanza("make", "amd64", "allowed"),
    stanza("python3", "amd64", "allowed"),
    stanza("pkgconf", "arm64", "foreign", "pkg-config (= 2-1)"),
    stanza("debhelper", "all", "foreign", "debhelper-compat (= 13)"),
    stanza("texts", "all"),
)


@pytest.mark.parametrize(
    ("relations", "found"),
    [
        ("libc-dev", "libc6-dev:arm64"),
        ("libc-dev:native", "libc6-dev:amd64"),
        ("libc6-dev:amd64 (>= 2)", "libc6-dev:amd64"),
        ("libc6-dev (>= 3)", ""),
        ("make:native, python3:any, make", "make:amd64 python3:amd64"),
        ("python3", ""),
        ("pkg-config (>= 1) | absent", "pkgconf:arm64"),
        ("pkg-config:native", "pkgconf:arm64"),
        ("debhelper-compat (= 13)", "debhelper:all"),
        ("debhelper-compat (= 12)", ""),
        ("texts", ""),
        ("absent | texts:native", "texts:all"),
    ],
)
def test_what_fulfils_a_wish_for_another_machine(relations: str, found: str) -> None:
    asked = asked_for(STANZAS, relations, own=OWN, host=HOST)
    assert sorted(f"{name}:{arch}" for name, _, arch in asked) == found.split()


@pytest.mark.parametrize(
    ("relations", "found"),
    [
        ("libc-dev", "libc6-dev:amd64"),
        ("texts, pkgconf", "pkgconf:arm64 texts:all"),
        ("python3", "python3:amd64"),
    ],
)
def test_what_fulfils_it_for_the_own_one(relations: str, found: str) -> None:
    asked = asked_for(STANZAS, relations, own=OWN, host=None)
    assert sorted(f"{name}:{arch}" for name, _, arch in asked) == found.split()
