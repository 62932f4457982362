"""The filter, run by a small machine, and its names held against the kernel's header."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.host import seccomp

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
ALLOW = 0x7FFF0000
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def answer(
    machine: str,
    audit: int,
    number: int,
    argument: int = 0,
    build: Callable[[str], bytes] = seccomp.build_filter,
) -> int:
    """Run a filter (classic BPF) on one call; gives what it returns."""
    program = seccomp.instructions(build(machine))
    data = {0: number, 4: audit, 16: argument & 0xFFFFFFFF}
    accumulator, counter = 0, 0
    while True:
        code, if_true, if_false, value = program[counter]
        counter += 1
        if code == 0x20:
            accumulator = data[value]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x05:
            counter += value
        elif code == 0x15:
            counter += if_true if accumulator == value else if_false
        elif code == 0x35:
            counter += if_true if accumulator >= value else if_false
        else:
            assert code == 0x06
            return value


def numbers() -> dict[str, int]:
    """The names and numbers of x86-64's calls."""
    if not HEADER.exists():
        pytest.skip("linux-libc-dev's header for x86-64 is not installed")
    rows = re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text())
    return {name: int(number) for name, number in rows}


def test_the_denied_numbers_are_those_of_the_names() -> None:
    calls = numbers()
    refused = {
        name
        for name, number in calls.items()
        if answer("x86_64", X86_64, number) == 0x00050000 | errno.EPERM
    }
    assert refused == {name for name in seccomp.DENIED if name in calls}
    assert len(refused) > 35


@pytest.mark.parametrize(
    ("machine", "audit", "clone", "socket"),
    [("x86_64", X86_64, 56, 41), ("x86_64", I386, 120, 359), ("aarch64", AARCH64, 220, 198)],
)
def test_namespaces_and_vm_sockets_are_refused(
    machine: str, audit: int, clone: int, socket: int
) -> None:
    assert answer(machine, audit, clone, 17) == ALLOW
    for flag in (
        0x00020000,
        0x02000000,
        0x04000000,
        0x08000000,
        0x10000000,
        0x20000000,
        0x40000000,
    ):
        assert answer(machine, audit, clone, flag | 17) == 0x00050000 | errno.EPERM
    assert answer(machine, audit, 435) == 0x00050000 | errno.ENOSYS  # clone3
    assert answer(machine, audit, socket, 2) == ALLOW
    assert answer(machine, audit, socket, 40) == 0x00050000 | errno.EAFNOSUPPORT


@pytest.mark.parametrize(
    ("machine", "audit", "clone", "socket"),
    [("x86_64", X86_64, 56, 41), ("x86_64", I386, 120, 359), ("aarch64", AARCH64, 220, 198)],
)
def test_the_small_filter_refuses_user_namespaces_and_vm_sockets_alone(
    machine: str, audit: int, clone: int, socket: int
) -> None:
    def small(number: int, argument: int = 0) -> int:
        return answer(machine, audit, number, argument, seccomp.build_socket_filter)

    assert small(clone, 0x10000000 | 17) == 0x00050000 | errno.EPERM
    assert small(clone, 0x50000000 | 17) == 0x00050000 | errno.EPERM
    assert small(435) == 0x00050000 | errno.ENOSYS  # clone3
    assert small(socket, 40) == 0x00050000 | errno.EAFNOSUPPORT
    allowed = ((clone, 17), (clone, 0x2C020000 | 17), (socket, 2), (socket + 1, 40), (1, 0))
    assert {small(*call) for call in allowed} == {ALLOW}


@given(number=st.integers(0, 0xFFFFFFFF), argument=st.integers(0, 0xFFFFFFFF))
def test_other_architectures_and_x32_are_refused(number: int, argument: int) -> None:
    assert answer("x86_64", AARCH64, number, argument) == 0x00050000 | errno.ENOSYS
    x32 = 0x40000000 | number
    assert answer("x86_64", X86_64, x32, argument) == 0x00050000 | errno.ENOSYS


def test_engines_get_the_same_rules() -> None:
    profile = json.loads(seccomp.engine_profile())
    refused = {
        name
        for rule in profile["syscalls"]
        if rule["errnoRet"] == errno.EPERM and "args" not in rule
        for name in rule["names"]
    }
    assert refused == set(seccomp.DENIED)
    flags = [rule["args"][0]["value"] for rule in profile["syscalls"] if rule["names"] == ["clone"]]
    assert sum(flags) == 0x7E020000


def test_an_unknown_machine_has_no_filter() -> None:
    assert not seccomp.supported("vax")
    assert seccomp.build_filter("vax") == b""
