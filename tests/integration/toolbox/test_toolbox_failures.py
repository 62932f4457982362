"""Bundles that must fail do, at the right step, and say where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Build

DEFINES = "PKGNAME=sample\nPKGSEC=utils\nPKGDES='A sample'\nABSPLITDBG=no\n"
INSTALL = 'mkdir -p "$PKGDIR"/usr/bin\n'

Make = Callable[..., Path]


@pytest.fixture
def bundle(tmp_path: Path) -> Make:
    """Writes a bundle without sources."""

    def make(**files: str) -> Path:
        folder = tmp_path / "bundle"
        texts = {"spec": "VER=1.0\nDUMMYSRC=1\n", "autobuild/defines": DEFINES}
        for name, text in (texts | {k.replace("__", "/"): v for k, v in files.items()}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return make


@pytest.mark.parametrize(
    "files, step, message",
    [
        ({"autobuild__prepare": "true\nfalse\n"}, "prepare", "autobuild/prepare:2: status 1"),
        ({"autobuild__build": "exit 7\n"}, "build", ""),
        ({"autobuild__build": "exit 0\n"}, "build", "ended early"),
        ({"autobuild__build": "make nothing\n"}, "build", "autobuild/build:1: status 2"),
        ({"autobuild__build": "true\n"}, "install", "the build left no"),
        ({}, "prepare", "E211"),
        ({"spec": "REL=1\n"}, "prepare", "E101"),
        ({"autobuild__defines": DEFINES + "FAIL_ARCH='!(m68k)'\n"}, "prepare", "FAIL_ARCH"),
        ({"autobuild__defines": "PKGNAME=sample\n"}, "qa", "E104"),
        ({"autobuild__defines": DEFINES + "ABTYPE=cmaek\n"}, "prepare", "cmaek is no template"),
        ({"autobuild__build": 'mkdir -p "$PKGDIR"/usr/local\n'}, "qa", "E321: /usr/local"),
        (
            {"autobuild__build": INSTALL, "autobuild__beyond": "cd /nowhere\n"},
            "install",
            "autobuild/beyond:1: status 1",
        ),
        (
            {"autobuild__build": INSTALL, "autobuild__defines": DEFINES + "PKGDEP='a||b'\n"},
            "pack",
            "a||b is no relation",
        ),
        (
            {"autobuild__build": "for i in 1 2; do bash -c 'exit 3'; done\n"},
            "build",
            "autobuild/build:1: status 3",
        ),
    ],
)
def test_failures_name_step_and_place(
    build: Build, bundle: Make, files: dict[str, str], step: str, message: str
) -> None:
    built = build(bundle(**files))
    assert built.status != 0, built.log
    assert built.step == step, built.log
    assert message in built.log
    assert not built.packages


def test_debug_information_that_was_asked_for_must_be_there(build: Build, bundle: Make) -> None:
    defines = DEFINES.replace("ABSPLITDBG=no", "ABSPLITDBG=yes")
    built = build(bundle(autobuild__defines=defines, autobuild__build=INSTALL))
    assert built.status != 0
    assert "ABSPLITDBG is set" in built.log


def test_a_bundle_without_definitions_is_refused(build: Build, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/spec").write_text("VER=1\n")
    built = build(tmp_path / "empty")
    assert built.status != 0
    assert "E102" in built.log


def test_wrong_names_of_numbered_folders_are_refused(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    (folder / "1-x").mkdir(parents=True)
    (folder / "spec").write_text("VER=1\n")
    (folder / "1-x/defines").write_text(DEFINES)
    built = build(folder)
    assert built.status != 0
    assert "E103: 1-x/" in built.log


def test_a_patch_with_fuzz_fails_in_the_step_prepare(build: Build, bundle: Make) -> None:
    patch = "--- a/autobuild/build\n+++ b/autobuild/build\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
    built = build(
        bundle(
            autobuild__build="a\nb\nC\n",
            autobuild__patches__x="",
            **{"autobuild__patches__1.patch": patch},
        )
    )
    assert (built.status != 0, built.step) == (True, "prepare")
    assert "1.patch does not apply" in built.log


def test_what_a_failing_package_leaves_no_package_of(build: Build, tmp_path: Path) -> None:
    """The first package of a bundle is out when the second one fails; the build still fails."""
    folder = tmp_path / "bundle"
    for number, name, script in ((1, "good", INSTALL), (2, "bad", "false\n")):
        part = folder / f"0{number}-{name}"
        part.mkdir(parents=True)
        (part / "defines").write_text(DEFINES.replace("sample", name))
        (part / "build").write_text(script)
    (folder / "spec").write_text("VER=1\nDUMMYSRC=1\n")
    built = build(folder)
    assert (built.status != 0, built.step) == (True, "build")
    assert list(built.packages) == ["good_1-0_amd64.deb"]


def test_two_packages_of_one_name_are_refused(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    for name in ("01-a", "02-b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "defines").write_text(DEFINES)
        (folder / name / "build").write_text(INSTALL)
    (folder / "spec").write_text("VER=1\nDUMMYSRC=1\n")
    built = build(folder)
    assert (built.status != 0, built.step) == (True, "pack")
    assert "two packages" in built.log


def test_the_build_is_offline(build: Build, bundle: Make) -> None:
    script = INSTALL + "exec 3<>/dev/tcp/192.0.2.1/80\n"
    built = build(bundle(autobuild__build=script))
    assert built.status != 0
    assert "Network is unreachable" in built.log
