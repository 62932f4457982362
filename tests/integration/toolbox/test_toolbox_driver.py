"""How the driver itself behaves: probing, set-id bits, libraries, a root with its own autobuild."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Build

TREE = Path(__file__).parents[3] / "examples/tree"
DEFINES = "PKGNAME=sample\nPKGSEC=utils\nPKGDES='A sample'\nABSPLITDBG=no\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    "bundle, template",
    [
        ("app-devel/cmocka", "cmakeninja"),
        ("app-network/finger", "self\nself"),
        ("lang-python/semver", "pep517"),
    ],
)
def test_probing_prints_templates_and_builds_nothing(
    build: Build, bundle: str, template: str
) -> None:
    built = build(TREE / bundle, "--probe")
    assert built.status == 0, built.log
    lines = [line for line in built.log.splitlines() if not line.startswith((">>>", "["))]
    assert "\n".join(lines) == template
    assert not built.packages


@pytest.mark.parametrize(
    "variable, template",
    [({}, "cmakeninja"), ({"LAPSTRAKE_PROBE_ORDER": "meson cmake"}, "cmake")],
)
def test_the_probe_order_is_a_setting(
    build: Build, variable: dict[str, str], template: str
) -> None:
    built = build(TREE / "app-devel/cmocka", "--probe", env=variable)
    assert built.log.splitlines()[-1] == template


def test_set_id_bits_of_sources_do_not_reach_the_package(
    build: Build, modes: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    """A set-group-id folder would make DEBIAN/ one, which dpkg-deb refuses."""
    bundle = write(
        tmp_path / "bundle",
        {
            "spec": "VER=1\nDUMMYSRC=1\n",
            "autobuild/defines": DEFINES,
            "autobuild/build": 'mkdir -p "$PKGDIR"/usr/bin\n'
            'install -m755 /bin/true "$PKGDIR"/usr/bin/x\n',
            "autobuild/beyond": 'chmod 4755 "$PKGDIR"/usr/bin/x\n',
            # What the host unpacked before the driver starts is played by a wrapper of it.
            "wrap.sh": 'chmod 2755 "$LAPSTRAKE_SRCDIR"\n'
            'exec bash "$LAPSTRAKE_BUILDROOT/toolbox/aosc.sh"\n',
        },
    )
    built = build(bundle, driver="../bundle/wrap.sh")
    assert built.status == 0, built.log
    found = modes(built.package)
    assert found["/usr/bin/"] == "drwxr-xr-x"
    assert found["/usr/bin/x"] == "-rwsr-xr-x"


def test_a_root_with_its_own_autobuild_uses_that(build: Build, tmp_path: Path) -> None:
    """The program of the root gets the version in `defines`, and its packages are collected."""
    autobuild = """#!/bin/bash
        set -e
        . autobuild/defines
        mkdir -p abdist/DEBIAN
        printf 'Package: %s\\nVersion: %s-%s\\nArchitecture: all\\nMaintainer: x <x@y>\\n' \\
            "$PKGNAME" "$PKGVER" "$PKGREL" >abdist/DEBIAN/control
        printf 'Description: made by autobuild\\n' >>abdist/DEBIAN/control
        dpkg-deb -b abdist "${PKGNAME}_$PKGVER-${PKGREL}_noarch.deb"
    """
    bundle = write(
        tmp_path / "bundle",
        {
            "spec": "VER=1.2\nREL=3\nDUMMYSRC=1\n",
            "autobuild/defines": DEFINES.rstrip("\n"),
            "autobuild.program": autobuild,
            "wrap.sh": 'install "$LAPSTRAKE_BUILDROOT"/bundle/autobuild.program '
            "/usr/bin/autobuild\n"
            'exec bash "$LAPSTRAKE_BUILDROOT/toolbox/aosc.sh"\n',
        },
    )
    built = build(bundle, driver="../bundle/wrap.sh")
    assert built.status == 0, built.log
    assert list(built.packages) == ["sample_1.2-3_noarch.deb"]
    assert built.step == "pack"


def test_later_packages_can_build_with_earlier_ones(build: Build, tmp_path: Path) -> None:
    bundle = write(
        tmp_path / "bundle",
        {
            "spec": "VER=1\nDUMMYSRC=1\n",
            "01-tool/defines": DEFINES.replace("sample", "tool") + "PKGDEP=not-in-this-root\n",
            "01-tool/build": "mkdir -p $PKGDIR/usr/bin\n"
            "install -m755 /bin/true $PKGDIR/usr/bin/sample-tool\n",
            "02-user/defines": DEFINES.replace("sample", "user"),
            "02-user/build": "sample-tool\nmkdir -p $PKGDIR\n",
        },
    )
    assert build(bundle).status != 0
    built = build(bundle, env={"LAPSTRAKE_INSTALL_RESULTS": "yes"})
    assert built.status == 0, built.log
    assert len(built.packages) == 2


def test_stage_two_has_its_own_files(build: Build, tmp_path: Path) -> None:
    bundle = write(
        tmp_path / "bundle",
        {
            "spec": "VER=1\nDUMMYSRC=1\n",
            "autobuild/defines": DEFINES,
            "autobuild/defines.stage2": DEFINES.replace("sample", "small"),
            "autobuild/build": "mkdir $PKGDIR\n",
        },
    )
    assert list(build(bundle).packages) == ["sample_1-0_amd64.deb"]
    assert list(build(bundle, env={"ABSTAGE2": "yes"}).packages) == ["small_1-0_amd64.deb"]


def test_static_libraries_are_kept_on_request_and_usable(
    build: Build, modes: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    source = 'echo "int answer(void) { return 42; }" >a.c\n$CC $CFLAGS -c a.c\nar rcs liba.a a.o\n'
    script = source + "install -Dm644 liba.a -t $PKGDIR/usr/lib\n"
    # With LTO's code stripped, what is left must still link without LTO.
    check = (
        'echo "int answer(void); int main(void) { return answer() != 42; }" >m.c\n'
        "strip --strip-debug --remove-section='.gnu.lto_*' $PKGDIR/usr/lib/liba.a\n"
        "gcc -fno-lto m.c $PKGDIR/usr/lib/liba.a -o m && ./m\n"
    )
    files = {"spec": "VER=1\nDUMMYSRC=1\n", "autobuild/build": script}
    kept = write(
        tmp_path / "kept",
        {**files, "autobuild/defines": DEFINES + "NOSTATIC=0\n", "autobuild/beyond": check},
    )
    built = build(kept)
    assert built.status == 0, built.log
    assert "/usr/lib/liba.a" in modes(built.package)
    dropped = build(write(tmp_path / "dropped", {**files, "autobuild/defines": DEFINES}))
    assert dropped.status == 0, dropped.log
    assert "/usr/lib/liba.a" not in modes(dropped.package)
