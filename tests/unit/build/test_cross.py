"""What the steps of a cross-compiled bundle see, and what its root has."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.build.cross import with_cross_tools
from lapstrake.build.dependencies import wanted_root
from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat
from lapstrake.compose.wish import satisfy_words
from lapstrake.errors import BundleError
from lapstrake.names import Arch
from lapstrake.toolchain.look import debian_facts
from lapstrake.toolchain.targets import parse_target


def bundle(kind: BundleFormat = BundleFormat.NATIVE) -> Bundle:
    return Bundle(
        name="x",
        version="1",
        upstream_version="1",
        format=kind,
        path=Path("x"),
        build_depends=BuildDependencies(depends=("zlib1g-dev",), essential=True),
        environment={"LAPSTRAKE_PROFILES": "cross nocheck"},
        files={"steps/3-build.sh": b"make"},
    )


def test_variables_name_files_that_are_there() -> None:
    made = with_cross_tools(bundle(), own=Arch.AMD64, target=Arch.ARM64)
    env = made.environment
    assert env["CC"] == "/usr/bin/aarch64-linux-gnu-gcc"
    assert env["CROSS_COMPILE"] == "/usr/bin/aarch64-linux-gnu-"
    assert env["CONFIGURE_FLAGS"] == "--host=aarch64-linux-gnu --build=x86_64-linux-gnu"
    assert env["LAPSTRAKE_PROFILES"] == "cross nocheck"
    assert "/usr/bin" in env["PATH"].split(":")
    for name in ("CMAKE_TOOLCHAIN_FILE", "MESON_CROSS_FILE", "CONFIG_SITE"):
        inside = env[name].removeprefix("/buildroot/plan/")
        assert b"aarch64" in made.files[inside], name
    assert made.files["steps/3-build.sh"] == b"make"


def test_dpkg_finds_its_compilers_itself_and_no_others() -> None:
    source = bundle(BundleFormat.DEBIAN)
    assert with_cross_tools(source, own=Arch.AMD64, target=Arch.ARM64) == source
    facts = debian_facts(parse_target("arm64"), build=parse_target("amd64"))
    with pytest.raises(BundleError, match="Debian's compilers only"):
        with_cross_tools(source, own=Arch.AMD64, target=Arch.ARM64, toolchain=facts)


def test_relations_are_for_the_target_and_tools_for_the_root() -> None:
    words = satisfy_words(wanted_root(bundle(), Arch.ARM64))
    assert words == [
        "-oAPT::Build-Profiles=cross,nocheck",
        "--host-architecture=arm64",
        "satisfy",
        "build-essential:native, crossbuild-essential-arm64:native, libc-dev, libstdc++6, "
        "zlib1g-dev",
    ]


def test_a_toolchain_of_ones_own_needs_no_other() -> None:
    words = satisfy_words(wanted_root(bundle(), Arch.ARM64, compilers=False))
    assert words[-1] == "build-essential:native, libstdc++6, zlib1g-dev"
