"""What a target makes of a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.build.request import BuildRequest, parse_target, settled
from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.errors import UsageError
from lapstrake.names import Arch, BranchName


def request(**options: object) -> BuildRequest:
    return BuildRequest(
        bundle="x",
        branch=BranchName("stable"),
        cwd=Path("/"),
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("text", "arch"),
    [
        ("arm64", Arch.ARM64),
        ("aarch64-linux-gnu", Arch.ARM64),
        ("aarch64-unknown-linux-gnu", Arch.ARM64),
        ("arm-linux-gnueabihf", Arch.ARMHF),
        ("armv7-nerves-linux-gnueabihf", Arch.ARMHF),
        ("i386-linux-gnu", Arch.I386),
        ("i686-linux-gnu", Arch.I386),
        ("powerpc64le-linux-gnu", Arch.PPC64EL),
        ("s390x", Arch.S390X),
    ],
)
def test_names_of_machines(text: str, arch: Arch) -> None:
    assert parse_target(text) is arch


@pytest.mark.parametrize("text", ["", "vax", "aarch64-linux-musl", "arm-none-eabi", "arm64 ", "-"])
def test_names_of_no_machine_of_debians(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert "arm64 (aarch64-linux-gnu)" in caught.value.resolution


def test_a_target_implies_kind_and_profiles_once() -> None:
    asked = request(target=Arch.ARM64, profiles=("nodoc", "nocheck"))
    once = settled(asked, Arch.AMD64)
    assert (once.kind, once.profiles) == (BuildKind.ANY, ("cross", "nocheck", "nodoc"))
    assert settled(once, Arch.AMD64) == once


def test_the_roots_own_architecture_is_no_target() -> None:
    asked = request(target=Arch.AMD64, kind=BuildKind.ALL)
    assert settled(asked, Arch.AMD64) == request(kind=BuildKind.ALL)


def test_what_makes_no_sense_with_or_without_one() -> None:
    with pytest.raises(UsageError, match="have no target"):
        settled(request(target=Arch.ARM64, kind=BuildKind.ALL), Arch.AMD64)
    with pytest.raises(UsageError, match="there is no target"):
        settled(request(toolchain="chain", target=Arch.AMD64), Arch.AMD64)
