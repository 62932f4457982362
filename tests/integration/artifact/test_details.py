"""``lapstrake artifact details`` and ``lapstrake why artifact``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lapstrake.artifact.identity import identify
from lapstrake.artifact.inputs.checksum import read_inputs
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.artifact.manifest.read import read_package
from roots import run_cli

# The checksum of one file with this content is a known answer of Nerves'.
DEFCONFIG = "BR2_x=y\n"
CHECKSUM = "52C611E2A2B3BCA9BFA47B738AE9ABCB9017C51DFCD0E434260E0DEC2D56DC6C"

SYSTEM = """
[package]
name = "sys"
type = "system"
version = "1.0"
checksum = ["defconfig", "gone"]
[platform]
build = "make"
[[site]]
url = "https://example.org/a"
query = { key = "${SECRET}" }
[[site]]
github = "a/b"
token = "${SECRET}"
[dependencies.br]
path = "br"
"""
PLATFORM = '[package]\nname = "br"\ntype = "system_platform"\nversion = "1"\n'
APPLICATION = """
[project]
name = "app"
[dependencies.sys]
path = ".."
[dependencies.tool]
path = "../tool"
"""
TOOL = '[package]\nname = "tool"\ntype = "package"\nversion = "1"\n'


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """The folder of a system; below it those of its platform and of an application."""
    folder = tmp_path / "system"
    texts = {".": SYSTEM, "br": PLATFORM, "app": APPLICATION, "tool": TOOL}
    for name, text in texts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "lapstrake.toml").write_text(text)
    (folder / "defconfig").write_text(DEFCONFIG)
    return folder


def test_names_checksums_and_places(system: Path) -> None:
    done = run_cli("artifact", "details", "--json", work_dir=system, SECRET="hunter2")
    assert done.status == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["checksum"] == CHECKSUM
    assert told["short_checksum"] == "52C611E"
    assert told["name"] == "sys-portable-1.0"
    assert told["file"] == "sys-portable-1.0-52C611E.tar.gz"
    assert told["build_path"] == f"{system}/.nerves/artifacts/sys-portable-1.0"
    assert told["base_dir"] == f"{system}/artifacts"
    assert told["override"] == "NERVES_SYSTEM"
    assert (told["inputs"], told["unmatched"]) == (["defconfig"], ["gone"])
    assert told["stale"] is True
    assert told["sites"][0] == "https://example.org/a/sys-portable-1.0-52C611E.tar.gz"
    shown = run_cli("artifact", "details", "sys", work_dir=system, SECRET="hunter2")
    assert CHECKSUM in shown.stdout
    assert "sys-portable-1.0-52C611E.tar.gz" in shown.stdout
    assert "hunter2" not in done.stdout + shown.stdout


def test_why_an_artifact_is_stale(system: Path) -> None:
    package = read_package(system)
    identity = identify(package, CHECKSUM, {})
    tree = system / "tree"
    (tree / "images").mkdir(parents=True)
    (tree / "images" / "fwup.conf").write_text("conf")
    cache = ArtifactCache(system / "artifacts")
    cache.put_folder(identity, tree, inputs=read_inputs(package))
    used = run_cli("why", "artifact", work_dir=system)
    assert "sys 1.0 (system): kept" in used.stdout
    assert "it is used as it is" in used.stdout

    copied = run_cli(
        "artifact", "details", "--copy-fwup-conf", str(system / "copy"), work_dir=system
    )
    assert copied.status == 0, copied.stderr
    assert (system / "copy").read_text() == "conf"

    (system / "defconfig").write_text("other\n")
    stale = run_cli("why", "artifact", "sys", work_dir=system)
    assert "sys 1.0 (system): stale" in stale.stdout
    assert "52C611E is kept" in stale.stdout
    assert "changed             defconfig" in stale.stdout
    assert "its sites are asked; if they do not have it, it is built here" in stale.stdout
    refused = run_cli(
        "artifact", "details", "--copy-fwup-conf", str(system / "new"), work_dir=system
    )
    assert refused.status == 27
    assert "lapstrake artifact get sys" in refused.stderr
    assert not (system / "new").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("artifact", "details", "br"), 2, "br is a system_platform: it has no artifact"),
        (("artifact", "details", "sis"), 2, "sys has no package 'sis'"),
        (("why", "artifact", "a", "b"), 2, "asks for nothing we know"),
    ],
)
def test_what_has_no_artifact(
    words: tuple[str, ...], code: int, message: str, system: Path
) -> None:
    done = run_cli(*words, work_dir=system)
    assert done.status == code
    assert message in done.stderr


def test_an_application_names_its_packages(system: Path) -> None:
    app = system / "app"
    done = run_cli("artifact", "details", work_dir=app)
    assert done.status == 2
    assert "app has no artifact of its own" in done.stderr
    assert "sys, tool" in done.stderr or "tool, sys" in done.stderr
    told = run_cli("why", "artifact", work_dir=app)
    assert told.status == 0, told.stderr
    assert "unless it is named to be built, or allowed with build = true" in told.stdout
    assert "tool 1 (package): stale" in told.stdout
    assert "it is passed over" in told.stdout
