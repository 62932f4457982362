"""Looking at folders: which compiler, which sysroot, which Erlang (rows I1, I6, I9, I10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.errors import ToolchainError
from lapstrake.toolchain.look import find_compiler, look_at, look_at_debian

NOTHING = {"PATH": "/nonexistent"}


def _programs(folder: Path, *names: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    for name in names:
        (folder / "bin" / name).write_text("#!/bin/sh\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


def _erlang(root: Path, version: str) -> None:
    release = root / "releases" / version.split(".")[0]
    release.mkdir(parents=True)
    (release / "OTP_VERSION").write_text(f"{version}\n")


@pytest.fixture
def toolchain(tmp_path: Path) -> Path:
    return _programs(tmp_path / "toolchain", "aarch64-nerves-linux-gnu-gcc")


@pytest.fixture
def system(tmp_path: Path) -> Path:
    (tmp_path / "system" / "staging").mkdir(parents=True)
    return tmp_path / "system"


def test_a_toolchain_and_a_system(toolchain: Path, system: Path) -> None:
    facts = look_at(system, toolchain, environ=NOTHING)
    assert facts.prefix == toolchain / "bin/aarch64-nerves-linux-gnu"
    assert facts.target.cpu == "aarch64"
    assert facts.path == (toolchain / "bin",)
    assert facts.sysroot == system / "staging"
    assert (facts.host, facts.erlang, facts.qmakespec, facts.emulator) == (None,) * 4


def test_a_system_that_was_built_here_brings_the_compiler(toolchain: Path, system: Path) -> None:
    host = _programs(
        system / "host", "a-linux-gnu-gcc", "pkg-config", "aarch64-buildroot-linux-gnu-gcc"
    )
    facts = look_at(system, toolchain, environ=NOTHING)
    assert facts.prefix.name == "aarch64-buildroot-linux-gnu"
    assert facts.host == host
    assert facts.host_pkg_config == host / "bin/pkg-config"
    assert look_at(system, None, environ=NOTHING).toolchain == host


@pytest.mark.parametrize(
    ("names", "target", "found"),
    [
        (("b-linux-gnu-gcc", "a-linux-gnu-gcc", "gcc", "x-gcc-ar"), "", "a-linux-gnu"),
        (("b-linux-gnu-gcc", "a-linux-gnu-gcc"), "b-linux-gnu", "b-linux-gnu"),
        (("a-linux-gnu-gcc", "c-buildroot-linux-gnu-gcc"), "", "c-buildroot-linux-gnu"),
    ],
)
def test_which_compiler(tmp_path: Path, names: tuple[str, ...], target: str, found: str) -> None:
    home = _programs(tmp_path / "t", *names)
    assert find_compiler(home, target=target) == home / "bin" / found


@pytest.mark.parametrize("names", [(), ("gcc",), ("readme",)])
def test_a_toolchain_without_a_compiler(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ToolchainError, match="partial or corrupt"):
        find_compiler(_programs(tmp_path / "t", *names))


def test_a_toolchain_without_a_folder_of_programs(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="partial or corrupt"):
        find_compiler(tmp_path)


def test_a_system_that_was_not_built(toolchain: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="was not built"):
        look_at(tmp_path, toolchain, environ=NOTHING)


def test_a_system_without_any_toolchain(system: Path) -> None:
    with pytest.raises(ToolchainError, match="there is no toolchain"):
        look_at(system, None, environ=NOTHING)


def test_a_toolchain_for_another_machine(toolchain: Path, system: Path) -> None:
    with pytest.raises(ToolchainError, match="compiles for aarch64, but the target is riscv64"):
        look_at(system, toolchain, environ=NOTHING, target="riscv64-unknown-linux-gnu")
    look_at(system, toolchain, environ=NOTHING, target="aarch64-unknown-linux-musl")


def test_erlang_of_the_sysroot_and_of_the_host(
    toolchain: Path, system: Path, tmp_path: Path
) -> None:
    root = system / "staging/usr/lib/erlang"
    (root / "erts-15.0").mkdir(parents=True)
    (root / "lib/erl_interface-5.5").mkdir(parents=True)
    _erlang(root, "27.0.1")
    host = tmp_path / "host/lib/erlang"
    _programs(host, "erl")
    _erlang(host, "26.2")
    programs = tmp_path / "usr-bin"
    programs.mkdir()
    (programs / "erl").symlink_to(host / "bin/erl")
    found = look_at(system, toolchain, environ={"PATH": str(programs)}).erlang
    assert found is not None
    assert (found.erts, found.interface) == (root / "erts-15.0", root / "lib/erl_interface-5.5")
    assert (found.version, found.host_version) == ("27.0.1", "26.2")


def test_debians_compiler_for_the_same_machine_by_another_name(tmp_path: Path) -> None:
    home = _programs(tmp_path, "aarch64-linux-gnu-gcc", "qemu-aarch64-static")
    for name in ("arm64", "aarch64-linux-gnu", "aarch64-unknown-linux-gnu"):
        facts = look_at_debian(name, environ={"PATH": str(home / "bin")})
        assert facts.prefix == home / "bin/aarch64-linux-gnu"
        assert facts.emulator == home / "bin/qemu-aarch64-static"


def test_debians_compiler_that_is_not_installed() -> None:
    with pytest.raises(ToolchainError, match="riscv64-linux-gnu-gcc") as refused:
        look_at_debian("riscv64", environ=NOTHING)
    assert "crossbuild-essential-riscv64" in refused.value.resolution
    with pytest.raises(ToolchainError) as refused:
        look_at_debian("xtensa-lx106-elf", environ=NOTHING)
    assert "apt" not in refused.value.resolution
