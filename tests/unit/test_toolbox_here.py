"""The whole driver on this host, without a root: as any user, in any folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lapstrake.errors import LapstrakeError
from lapstrake.host.process import find_program, run

TOOLBOX = Path(__file__).parents[2] / "src/lapstrake/toolbox"
_NEEDED = {"bash": "bash", "dpkg-deb": "dpkg", "strip": "binutils"}


@pytest.fixture
def buildroot(tmp_path: Path) -> Path:
    """A staged bundle without sources, in a folder whose name has a blank."""
    for program, package in _NEEDED.items():
        if find_program(program) is None:
            pytest.skip(f"{program} is not installed ({package})")
    if find_program("autobuild") is not None:
        pytest.skip("this host has its own autobuild")
    folder = tmp_path / "build root"
    shutil.copytree(TOOLBOX, folder / "toolbox")
    (folder / "build").mkdir()
    bundle = folder / "bundle"
    (bundle / "autobuild").mkdir(parents=True)
    (bundle / "spec").write_text("VER=1.0\nREL=2\nDUMMYSRC=1\n")
    (bundle / "autobuild/defines").write_text(
        "PKGNAME=sample\nPKGSEC=utils\nPKGDES='A sample'\nABHOST=noarch\n"
    )
    (bundle / "autobuild/build").write_text(
        'mkdir -p "$PKGDIR"/usr/share/sample\n'
        'echo "$PKGVER in $(basename "$SRCDIR")" >"$PKGDIR"/usr/share/sample/text\n'
    )
    return folder


def drive(buildroot: Path, *arguments: str) -> str:
    env = {
        "LAPSTRAKE_BUILDROOT": str(buildroot),
        "LAPSTRAKE_SRCDIR": str(buildroot / "build"),
        "LAPSTRAKE_QA_BASE": "debian",
        "SOURCE_DATE_EPOCH": "1600000000",
    }
    argv: list[str | Path] = ["bash", buildroot / "toolbox/aosc.sh", *arguments]
    return run(argv, timeout=120, error=LapstrakeError, env=env, cwd=buildroot).text


def test_a_package_is_made_in_any_folder(buildroot: Path, tmp_path: Path) -> None:
    output = drive(buildroot)
    assert [line for line in output.splitlines() if line.startswith(">>> ")][-1] == (
        ">>> pack: sample"
    )
    (package,) = (buildroot / "output").iterdir()
    assert package.name == "sample_1.0-2_all.deb"
    run(["dpkg-deb", "-x", package, tmp_path / "out"], timeout=60, error=LapstrakeError)
    assert (tmp_path / "out/usr/share/sample/text").read_text() == "1.0 in build\n"
    listing = run(["dpkg-deb", "-c", package], timeout=60, error=LapstrakeError).text
    assert all(line.split()[1] == "root/root" for line in listing.splitlines())
    assert all("2020-09-13" in line for line in listing.splitlines())


def test_probing_prints_the_template_alone(buildroot: Path) -> None:
    assert drive(buildroot, "--probe") == "self\n"
    assert not (buildroot / "output").exists()
