"""Real projects of C, CMake, Meson and Autotools, cross-compiled and run in an emulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from cross_project import DEBIAN, TUPLE, CrossProject, make_project, needs_cross_tools
from roots import cli_command, cli_environment

_MAIN = """\
#include <greet.h>
int main(void) { return greet(); }
"""
_MAKEFILE = """\
CFLAGS += $(shell pkg-config --cflags greet)
main: main.c
	$(CC) $(CFLAGS) $< $(LDFLAGS) $(shell pkg-config --libs greet) -o $@
"""
_CMAKE = """\
cmake_minimum_required(VERSION 3.21)
project(main C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GREET REQUIRED IMPORTED_TARGET greet)
find_library(BY_NAME greet REQUIRED NO_CACHE)
message(STATUS "found ${BY_NAME} for ${CMAKE_SYSTEM_PROCESSOR}")
add_executable(main main.c)
target_link_libraries(main PkgConfig::GREET)
enable_testing()
add_test(NAME greets COMMAND main)
"""
_MESON = """\
project('main', 'c')
greet = dependency('greet')
main = executable('main', 'main.c', dependencies: greet)
tool = executable('tool', 'tool.c', native: true)
test('greets', main)
"""
_CONFIGURE_AC = """\
AC_INIT([main], [1])
AC_CONFIG_SRCDIR([main.c])
AC_PROG_CC
AC_FUNC_MALLOC
AC_CHECK_TOOL([THE_NM], [nm])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
"""
_MAKEFILE_IN = """\
all:
	@CC@ @CPPFLAGS@ `pkg-config --cflags greet` @CFLAGS@ main.c @LDFLAGS@ -L$(ROOT)/usr/lib -lgreet -o main
	@echo nm=@THE_NM@
"""  # noqa: E501


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> CrossProject:
    """The project, with its artifacts got from their site."""
    needs_cross_tools("pkg-config", "make")
    made = make_project(tmp_path_factory.mktemp("cross"))
    got = made.run("artifact", "get")
    assert got.status == 0, got.stderr
    return made


def _source(project: CrossProject, name: str, **files: str) -> Path:
    folder = project.folder / name
    folder.mkdir()
    for file, text in {"main.c": _MAIN, **files}.items():
        (folder / file.replace("__", ".")).write_text(text)
    return folder


def _check_runs(program: Path) -> None:
    """It is for the target, and does there what it should."""
    header = program.read_bytes()[:20]
    assert int.from_bytes(header[18:20], "little") == 183, "EM_AARCH64 of elf(5)"
    done = subprocess.run(
        ["qemu-aarch64-static", "-L", f"/usr/{DEBIAN}", program], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, b"hello from the sysroot\n")


def test_plain_make(project: CrossProject) -> None:
    folder = _source(project, "plain", Makefile=_MAKEFILE)
    done = project.run("exec", "--", "make", "-C", str(folder), CFLAGS="-DOWN=1")
    assert done.ok, done.stderr
    assert f"{TUPLE}-gcc -mcpu=cortex-a53" in done.stdout
    assert "-DOWN=1" in done.stdout
    _check_runs(folder / "main")


def test_cmake(project: CrossProject) -> None:
    needs_cross_tools("cmake", "ninja")
    folder = _source(project, "cmake", CMakeLists__txt=_CMAKE)
    done = project.run(
        "exec", "--", "sh", "-ec",
        f"cd {folder}; cmake -G Ninja -B b; ninja -C b; ctest --test-dir b",
    )  # fmt: skip
    assert done.ok, done.stdout + done.stderr
    assert "staging/usr/lib/libgreet.a for aarch64" in done.stdout
    assert "100% tests passed" in done.stdout
    _check_runs(folder / "b/main")


def test_meson(project: CrossProject) -> None:
    needs_cross_tools("meson", "ninja")
    folder = _source(project, "meson", meson__build=_MESON, tool__c="int main(void){return 0;}\n")
    done = project.run(
        "exec", "--", "sh", "-ec",
        f'cd {folder}; meson setup b --cross-file "$MESON_CROSS_FILE"'
        ' --native-file "$MESON_NATIVE_FILE"; ninja -C b; meson test -C b; b/tool',
    )  # fmt: skip
    assert done.ok, done.stdout + done.stderr
    _check_runs(folder / "b/main")


def test_autotools_need_no_words(project: CrossProject) -> None:
    needs_cross_tools("autoconf")
    folder = _source(project, "auto", configure__ac=_CONFIGURE_AC, Makefile__in=_MAKEFILE_IN)
    for helper, text in (
        ("config.sub", 'echo "$1"'),
        ("config.guess", "echo x"),
        ("install-sh", ""),
    ):
        (folder / helper).write_text(f"#!/bin/sh\n{text}\n")
    subprocess.run(["autoconf"], cwd=folder, check=True, timeout=60)
    done = project.run(
        "exec", "--", "sh", "-ec", f"cd {folder}; ./configure; make ROOT=$NERVES_SDK_SYSROOT"
    )
    assert done.ok, done.stdout + done.stderr
    assert "whether we are cross compiling... yes" in done.stdout
    assert f"nm={TUPLE}-nm" in done.stdout
    _check_runs(folder / "main")


def test_go(project: CrossProject) -> None:
    needs_cross_tools("go")
    folder = _source(
        project,
        "go",
        go__mod="module main\ngo 1.18\n",
        main__go="package main\n// #cgo pkg-config: greet\n// #include <greet.h>\n"
        'import "C"\nfunc main() { C.greet() }\n',
    )
    (folder / "main.c").unlink()
    done = project.run("exec", "--", "sh", "-ec", f"cd {folder}; go build -o main .")
    assert done.ok, done.stderr
    _check_runs(folder / "main")


def test_what_the_project_and_its_packages_set(project: CrossProject) -> None:
    done = project.run("env", "--format", "json")
    assert done.ok, done.stderr
    seen = json.loads(done.stdout)
    system, toolchain = Path(seen["NERVES_SYSTEM"]), Path(seen["NERVES_TOOLCHAIN"])
    assert (system / "staging").is_dir()
    assert seen["PATH"].split(":")[:2] == [f"{toolchain}/bin", os.environ["PATH"].split(":")[0]]
    assert (
        seen.items()
        >= {
            "NERVES_APP": str(project.folder),
            "NERVES_ENV_BOOTSTRAP": "1",
            "CROSSCOMPILE": f"{toolchain}/bin/{TUPLE}",
            "TARGET_CPU": "cortex_a53",
            "BLINK_DIR": f"{system}/blink",
            "FROM_PLATFORM": "told",
            "PKG_CONFIG_PATH": None,
        }.items()
    )


def test_a_shell_reads_it_and_enters_it_again(project: CrossProject) -> None:
    """What the first time exported is no choice of the user's the second time."""
    first = project.run("env")
    assert first.ok
    lines = first.stdout + 'first="$CFLAGS $PATH"\n'
    again = (
        f'eval "$({" ".join(cli_command())} env)"\ntest "$first" = "$CFLAGS $PATH" && echo same\n'
    )
    done = subprocess.run(
        ["sh", "-e"], input=lines + again, cwd=project.folder, capture_output=True, text=True,
        env=cli_environment(project.work_dir, CFLAGS="-DUSER"), timeout=60,
    )  # fmt: skip
    assert done.stdout == "same\n", done.stderr


def test_nobody_removes_what_is_compiled_with(project: CrossProject) -> None:
    """Neither while the command runs, nor while something runs that it left behind."""
    artifacts = project.work_dir / "artifacts"
    script = "exec 3<&0; cat <&3 & echo $NERVES_SYSTEM $NERVES_TOOLCHAIN; exec sleep 600"
    process = subprocess.Popen(
        cli_command("exec", "--", "sh", "-c", script), cwd=project.folder, text=True,
        env=cli_environment(project.work_dir), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    used = [Path(word) for word in process.stdout.readline().split()]
    assert [path.parent for path in used] == [artifacts] * 2

    def kept_by_prune() -> list[bool]:
        done = project.run("artifact", "prune", "--max-size", "0")
        assert done.ok, done.stderr
        return [path.exists() for path in used]

    assert kept_by_prune() == [True, True]
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert kept_by_prune() == [True, True], "what it started is there"
    process.communicate(timeout=30)  # its input ends, and so does it
    assert kept_by_prune() == [False, False]
    assert project.run("artifact", "get").ok


def test_a_system_of_ones_own(project: CrossProject, tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    done = project.run("env", "--format", "json", NERVES_SYSTEM=str(tmp_path))
    assert json.loads(done.stdout)["NERVES_SDK_SYSROOT"] == str(tmp_path / "staging")
    unbuilt = project.run("env", NERVES_SYSTEM=str(tmp_path / "staging"))
    assert (unbuilt.status, unbuilt.stdout) == (30, "")
    assert "was not built" in unbuilt.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "status", "said"),
    [
        ("packages/rpi/lapstrake.toml", "echo '{", "exit 3; echo '{", 30, "status 3"),
        ("packages/rpi/lapstrake.toml", '{"FROM', '{"FROM -', 30, "no name of a variable"),
        ("lapstrake.toml", "{NERVES_SYSTEM}", "{NOBODY}", 26, "nothing sets ${NOBODY}"),
        ("lapstrake.toml", "BLINK_DIR", "PATH", 26, "PATH is the user's own"),
        ("lapstrake.toml", "BLINK_DIR", "PROMPT_COMMAND", 26, "PROMPT_COMMAND is the user's own"),
        ("packages/rpi/lapstrake.toml", '{"FROM', '{"LD_PRELOAD":"/x","FROM', 30, "LD_PRELOAD is"),
        ("packages/rpi/lapstrake.toml", "cortex-a53", "x;id", 30, "TARGET_GCC_FLAGS"),
        ("packages/gcc_arm64/lapstrake.toml", '"aarch64', '"riscv64', 30, "compiles for aarch64"),
        ("packages/rpi/defconfig", "A=y", "A=n", 29, "defconfig"),
    ],
)
def test_what_is_wrong_is_told(
    project: CrossProject, file: str, old: str, new: str, status: int, said: str
) -> None:
    path = project.folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    try:
        done = project.run("env")
    finally:
        path.write_text(before)
    assert (done.status, done.stdout) == (status, ""), done.stderr
    assert said in done.stderr
