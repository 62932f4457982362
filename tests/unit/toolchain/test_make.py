"""From facts to variables: Nerves' rows I2 to I11 and A10."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath as P

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import ToolchainError
from lapstrake.toolchain.base import FlagPolicy
from lapstrake.toolchain.facts import Erlang, Facts
from lapstrake.toolchain.look import debian_facts
from lapstrake.toolchain.make import ProfileName, make_environment
from lapstrake.toolchain.targets import parse_target

X86 = parse_target("x86_64-linux-gnu")
FACTS = Facts(
    target=parse_target("aarch64-nerves-linux-gnu"),
    build=X86,
    prefix=P("/t/bin/aarch64-nerves-linux-gnu"),
    path=(P("/t/bin"),),
    sysroot=P("/s/staging"),
    system=P("/s"),
    toolchain=P("/t"),
)
LARGE = "-D_LARGEFILE_SOURCE -D_LARGEFILE64_SOURCE -D_FILE_OFFSET_BITS=64"
ROOT = "--sysroot=/s/staging"
ONLY = (ProfileName.COMPILER,)


def test_the_compilers_part() -> None:
    made = make_environment(FACTS, files=P("/f"), profiles=ONLY)
    seen = made.applied({"PATH": "/usr/bin", "PKG_CONFIG_PATH": "/usr/lib/pkgconfig"})
    del seen["LAPSTRAKE_CROSS"]
    tool = "/t/bin/aarch64-nerves-linux-gnu"
    assert seen == {
        "PATH": "/t/bin:/usr/bin",
        "CROSSCOMPILE": tool,
        "CROSS_COMPILE": f"{tool}-",
        "AR": f"{tool}-ar",
        "AS": f"{tool}-as",
        "CC": f"{tool}-gcc",
        "CXX": f"{tool}-g++",
        "LD": f"{tool}-ld",
        "NM": f"{tool}-nm",
        "OBJCOPY": f"{tool}-objcopy",
        "OBJDUMP": f"{tool}-objdump",
        "RANLIB": f"{tool}-ranlib",
        "READELF": f"{tool}-readelf",
        "STRIP": f"{tool}-strip",
        "CPPFLAGS": f"{LARGE} {ROOT}",
        "CFLAGS": f"{LARGE} -pipe -O2 {ROOT}",
        "CXXFLAGS": f"{LARGE} -pipe -O2 {ROOT}",
        "LDFLAGS": ROOT,
        "NERVES_SDK_IMAGES": "/s/images",
        "NERVES_SDK_SYSROOT": "/s/staging",
        "PKG_CONFIG_SYSROOT_DIR": "/s/staging",
        "PKG_CONFIG_LIBDIR": "/s/staging/usr/lib/pkgconfig"
        ":/s/staging/usr/lib/aarch64-linux-gnu/pkgconfig:/s/staging/usr/share/pkgconfig",
        "AR_FOR_BUILD": "ar",
        "AS_FOR_BUILD": "as",
        "CC_FOR_BUILD": "cc",
        "CXX_FOR_BUILD": "g++",
        "GCC_FOR_BUILD": "gcc",
        "LD_FOR_BUILD": "ld",
        "PKG_CONFIG_FOR_BUILD": "pkg-config",
        "CPPFLAGS_FOR_BUILD": "",
        "CFLAGS_FOR_BUILD": "",
        "CXXFLAGS_FOR_BUILD": "",
        "LDFLAGS_FOR_BUILD": "",
    }


def test_flags_of_the_user_are_kept_or_replaced() -> None:
    user = {"CFLAGS": "-g3", "LDFLAGS": "-Wl,-s"}
    kept = make_environment(FACTS, files=P("/f")).applied(user)
    assert kept["CFLAGS"] == f"{LARGE} -pipe -O2 {ROOT} -g3"
    assert kept["LDFLAGS"] == f"{ROOT} -Wl,-s"
    only = make_environment(FACTS, files=P("/f"), policy=FlagPolicy.REPLACE).applied(user)
    assert only["CFLAGS"] == f"{LARGE} -pipe -O2 {ROOT}"
    assert only["LDFLAGS"] == ROOT


def test_packages_come_in_order_and_machine_flags_in_front() -> None:
    made = make_environment(
        FACTS,
        files=P("/f"),
        given=(
            {"TARGET_CPU": "a53", "TARGET_GCC_FLAGS": "-mcpu=cortex-a53", "CC": "/x/gcc"},
            {"TARGET_CPU": "a72", "TARGET_GCC_FLAGS": "-mfix", "CXXFLAGS": "-O1"},
        ),
    ).applied({"CFLAGS": "-g"})
    assert made["TARGET_CPU"] == "a72"
    assert made["CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS"].endswith(
        "-Clink-arg=-mfix -Clink-arg=-mcpu=cortex-a53"
    )
    assert made["CC"] == "/x/gcc"
    assert made["CFLAGS"] == f"-mfix -mcpu=cortex-a53 {LARGE} -pipe -O2 {ROOT} -g"
    assert made["CXXFLAGS"] == "-mfix -O1"
    assert made["CPPFLAGS"] == f"{LARGE} {ROOT}"


def test_what_a_package_sets_wins_over_what_we_put_in_front() -> None:
    host = replace(FACTS, host=P("/s/host"))
    own = {"CGO_CFLAGS": "-own", "LD_LIBRARY_PATH": "/own", "GOARM": "5"}
    seen = make_environment(host, files=P("/f"), given=(own,)).applied({"CGO_CFLAGS": "-user"})
    assert own.items() <= seen.items()


def test_a_system_built_here_brings_its_own_tools() -> None:
    facts = replace(
        FACTS, host=P("/s/host"), path=(P("/s/host/bin"),), host_pkg_config=P("/s/host/bin/pkgconf")
    )
    seen = make_environment(facts, files=P("/f")).applied({"LD_LIBRARY_PATH": "/l", "PATH": "/b"})
    assert seen["PKG_CONFIG"] == "/s/host/bin/pkgconf"
    assert seen["PERLLIB"] == "/s/host/lib/perl"
    assert seen["LD_LIBRARY_PATH"] == "/s/host/lib:/l"
    assert seen["PATH"] == "/s/host/bin:/b"


ERLANG = Erlang(
    folder=P("/e"), erts=P("/e/erts-15"), interface=P("/e/lib/erl_interface-5"), version="27.1"
)


def test_erlang() -> None:
    made = make_environment(replace(FACTS, erlang=ERLANG), files=P("/f"))
    seen = made.applied({"BINDIR": "/host", "ROOTDIR": "/r", "PROGNAME": "erl", "MIX_HOME": "/m"})
    assert not {"BINDIR", "ROOTDIR", "PROGNAME", "MIX_HOME"} & seen.keys()
    interface = "/e/lib/erl_interface-5"
    assert seen.items() >= {
        "REBAR_TARGET_ARCH": "aarch64-nerves-linux-gnu",
        "ERTS_DIR": "/e/erts-15",
        "ERL_INTERFACE_DIR": interface,
        "REBAR_PLT_DIR": "/e",
        "ERL_LIB_DIR": "/e",
        "ERL_SYSTEM_LIB_DIR": "/e/lib",
        "ERL_CFLAGS": f"-I/e/erts-15/include -I{interface}/include",
        "ERL_LDFLAGS": f"-L{interface}/lib -lei",
        "ERL_EI_LIBDIR": f"{interface}/lib",
        "ERL_EI_INCLUDE_DIR": f"{interface}/include",
        "ERTS_INCLUDE_DIR": "/e/erts-15/include",
        "ERL_INTERFACE_LIB_DIR": f"{interface}/lib",
        "ERL_INTERFACE_INCLUDE_DIR": f"{interface}/include",
    }.items()  # fmt: skip


def test_without_erlang_in_the_sysroot_there_is_nothing_of_it() -> None:
    seen = make_environment(FACTS, files=P("/f")).applied({"MIX_HOME": "/m"})
    assert not [name for name in seen if name.startswith("ERL")]
    assert seen["MIX_HOME"] == "/m"


def test_another_major_version_of_erlang_is_refused() -> None:
    facts = replace(FACTS, erlang=replace(ERLANG, host_version="26.2.5"))
    with pytest.raises(ToolchainError, match=r"27\.1.*26\.2\.5") as refused:
        make_environment(facts, files=P("/f"))
    assert "Install Erlang/OTP 27" in refused.value.resolution
    make_environment(facts, files=P("/f"), profiles=ONLY)


def test_another_minor_version_of_erlang_is_noted() -> None:
    facts = replace(FACTS, erlang=replace(ERLANG, host_version="27.0"))
    assert any("27.0" in note for note in make_environment(facts, files=P("/f")).notes)


def test_debians_compiler_needs_no_sysroot() -> None:
    made = make_environment(debian_facts(parse_target("armhf"), build=X86), files=P("/f"), given=())
    seen = made.applied({"PATH": "/usr/bin", "PKG_CONFIG_SYSROOT_DIR": "/x"})
    assert seen["CC"] == "/usr/bin/arm-linux-gnueabihf-gcc"
    assert "sysroot" not in "".join(seen.values()).lower()
    assert seen["PATH"] == "/usr/bin"
    assert "LDFLAGS" not in seen
    assert seen["PKG_CONFIG_LIBDIR"].split(":")[1] == "/usr/lib/arm-linux-gnueabihf/pkgconfig"
    assert (seen["GOARCH"], seen["GOARM"]) == ("arm", "7")
    assert seen["CARGO_BUILD_TARGET"] == "armv7-unknown-linux-gnueabihf"


def test_files_are_found_by_their_content() -> None:
    one = make_environment(FACTS, files=P("/f"))
    assert one.files == make_environment(FACTS, files=P("/f")).files
    other = make_environment(replace(FACTS, sysroot=P("/other")), files=P("/f"))
    assert not one.files.keys() & other.files.keys()
    for name in ("CMAKE_TOOLCHAIN_FILE", "MESON_CROSS_FILE", "MESON_NATIVE_FILE", "CONFIG_SITE"):
        assert one.variables[name] in one.files


def test_qt_and_the_processors_name() -> None:
    made = make_environment(
        replace(FACTS, qmakespec=P("/q")), files=P("/f"), given=({"TARGET_ARCH": "arm64"},)
    )
    assert made.variables["QMAKESPEC"] == "/q"
    text = made.files[made.variables["CMAKE_TOOLCHAIN_FILE"]]
    assert "set(CMAKE_SYSTEM_PROCESSOR arm64)" in text
    assert any("TARGET_ARCH" in note for note in made.notes)


@pytest.mark.parametrize("sign", " '\"\\$:#;\n*")
def test_a_path_that_flags_cannot_carry_is_refused(sign: str) -> None:
    with pytest.raises(ToolchainError, match="cannot be told to a compiler"):
        replace(FACTS, sysroot=P(f"/a{sign}b"))


@given(flags=st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12))
def test_machine_flags_are_words_or_refused(flags: str) -> None:
    try:
        made = make_environment(FACTS, files=P("/f"), given=({"TARGET_GCC_FLAGS": flags},))
    except ToolchainError:
        return
    text = made.files[made.variables["MESON_CROSS_FILE"]]
    (line,) = [each for each in text.split("\n") if each.startswith("c = ")]
    words = line.removeprefix("c = [").removesuffix("]").split(", ")
    assert [word.strip("'") for word in words[2:]] == flags.split()


@pytest.mark.parametrize(
    ("text", "arch", "go", "rust"),
    [
        ("arm64", "arm64", "arm64", "aarch64-unknown-linux-gnu"),
        ("x86_64-linux-gnu", "amd64", "amd64", "x86_64-unknown-linux-gnu"),
        ("i586-linux-gnu", "i386", "386", "i686-unknown-linux-gnu"),
        ("riscv64-linux-gnu", "riscv64", "riscv64", "riscv64gc-unknown-linux-gnu"),
        ("aarch64-nerves-linux-musl", None, "arm64", "aarch64-unknown-linux-musl"),
        ("armv6-nerves-linux-gnueabihf", "armhf", "arm", "arm-unknown-linux-gnueabihf"),
        ("armv7-nerves-linux-musleabihf", None, "arm", "armv7-unknown-linux-musleabihf"),
        ("s390x", "s390x", "s390x", "s390x-unknown-linux-gnu"),
        ("arm-none-eabi", None, None, None),
        ("xtensa-esp32-elf", None, None, None),
    ],
)
def test_names_of_machines(text: str, arch: str | None, go: str | None, rust: str | None) -> None:
    target = parse_target(text)
    assert target.debian == arch
    facts = replace(FACTS, target=target, prefix=P(f"/t/bin/{target.text}"))
    variables = make_environment(facts, files=P("/f")).variables
    assert variables.get("GOARCH") == go
    assert variables.get("CARGO_BUILD_TARGET") == rust


@pytest.mark.parametrize(
    ("tuple_", "flags", "goarm", "rust"),
    [
        ("arm-nerves-linux-gnueabihf", "-mcpu=arm1176jzf-s -mfpu=vfp", "6", "arm"),
        ("arm-nerves-linux-gnueabihf", "-mcpu=cortex-a7", "7", "armv7"),
        ("arm-nerves-linux-gnueabihf", "-march=armv8-a", "7", "armv7"),
        ("arm-nerves-linux-gnueabihf", "", "6", "arm"),
        ("arm-linux-gnueabi", "-march=armv5te", "5", "armv5te"),
    ],
)
def test_versions_of_arm(tuple_: str, flags: str, goarm: str, rust: str) -> None:
    facts = replace(FACTS, target=parse_target(tuple_), prefix=P(f"/t/bin/{tuple_}"))
    given_ = ({"TARGET_GCC_FLAGS": flags},) if flags else ()
    variables = make_environment(facts, files=P("/f"), given=given_).variables
    assert variables["GOARM"] == goarm
    assert variables["CARGO_BUILD_TARGET"].split("-")[0] == rust


@pytest.mark.parametrize("text", ["", "arm", "amd", "-", "a b-c", "../x-y", "a-b-c-d-e", "é-linux"])
def test_what_names_no_target(text: str) -> None:
    with pytest.raises(ToolchainError, match="names no target"):
        parse_target(text)
