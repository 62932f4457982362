"""Buildroot's own flow: its scripts are called as Nerves calls them, and change only copies."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from builder_subjects import Subject, contents
from lapstrake.artifact.base import Package, PackageType, Platform
from lapstrake.errors import BuildError

CREATE = """\
#!/bin/sh
# As nerves_system_br's: unpacks beside itself, writes a stub into the package, makes a Makefile.
set -e
here=$(dirname "$0")
test -f "$1"
echo "$1" | grep -q '^/.*/nerves_defconfig$' || exit 9
mkdir -p "$here/buildroot-1.0"; echo once >> "$here/buildroot-1.0/unpacked"
package=$(dirname "$1"); test -f "$package/Config.in" || echo stub > "$package/Config.in"
test -z "$BINDIR"
case ":$PATH:" in *::*) exit 8;; esac
cp "$1" "$2/.config"
cp "$here/Makefile.in" "$2/Makefile"
echo "$here" > "$2/here"
"""
MAKEFILE = """\
all:
\t@echo '>>> linux 6.1 Building'
\techo once >> built
system:
\tmkdir -p $(NERVES_ARTIFACT_NAME)/images
\tcp .config built $$(cat here)/buildroot-1.0/unpacked $(NERVES_ARTIFACT_NAME)
\ttar -czf $(NERVES_ARTIFACT_NAME).tar.gz $(NERVES_ARTIFACT_NAME)
"""


def _package(subject: Subject, **settings: str) -> tuple[Package, Package]:
    """A system and its platform."""
    folder = subject.folder / "br"
    folder.mkdir()
    (folder / "create-build.sh").write_text(CREATE)
    (folder / "create-build.sh").chmod(0o755)
    (folder / "Makefile.in").write_text(MAKEFILE)
    platform = Platform(name="buildroot", package="br", defconfig="nerves_defconfig", **settings)
    package = subject.package(platform)
    (package.folder / "nerves_defconfig").write_text("BR2_x=y\n")
    return package, replace(
        package, name="br", type=PackageType.SYSTEM_PLATFORM, folder=folder, platform=None
    )


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_buildroots_flow(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDIR", "/nowhere")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}::")
    package, platform = _package(subject)
    before = _names(package.folder), _names(platform.folder)
    job = subject.job(package, platform=platform)

    subject.builder.build(job)
    seen = contents(subject.builder.build(job))

    assert seen == {".config": "BR2_x=y\n", "built": "once\n" * 2, "unpacked": "once\n"}
    assert (_names(package.folder), _names(platform.folder)) == before


def test_a_failed_preparation_is_heeded(subject: Subject) -> None:
    package, platform = _package(subject)
    (package.folder / "nerves_defconfig").rename(package.folder / "other_defconfig")
    with pytest.raises(BuildError, match="the step prepare"):
        subject.builder.build(subject.job(package, platform=platform))
