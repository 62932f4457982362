"""The driver of Debian sources: real source packages, and small ones that go wrong on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lapstrake.bundle import debian
from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.errors import LapstrakeError
from lapstrake.host.process import run
from lapstrake.names import Arch

Build = Callable[..., Any]
SourcePackage = Callable[[str], Path]
CONTROL = """\
Source: greet
Maintainer: Ada Lovelace <ada@example.org>
Build-Depends: debhelper-compat (= 13)
Standards-Version: 4.6.2
Rules-Requires-Root: no

Package: greet
Architecture: any
Description: greets

Package: greet-data
Architecture: all
Description: data of greet

Package: greet-doc
Architecture: all
Build-Profiles: <!nodoc>
Description: documents of greet
"""
# The plainest rules there are: no helper, no compiler.
RULES = """\
#!/usr/bin/make -f
clean:
build build-arch build-indep:
	echo "id $$(id -u) $$(id -g) $$(id -un)"
	echo "options $(DEB_BUILD_OPTIONS) profiles $(DEB_BUILD_PROFILES) home $$HOME"
	echo "epoch $(SOURCE_DATE_EPOCH) buildroot $(LAPSTRAKE_BUILDROOT)"
binary: binary-arch binary-indep
binary-arch: build-arch
	rm -rf debian/files debian/tmp-*
	$(call pack,greet)
binary-indep: build-indep
	$(call pack,greet-data)
	$(if $(filter nodoc,$(DEB_BUILD_PROFILES)),,$(call pack,greet-doc))
define pack
	mkdir -p debian/tmp-$(1)/DEBIAN debian/tmp-$(1)/usr/share/greet
	id -u >debian/tmp-$(1)/usr/share/greet/uid-$(1)
	dpkg-gencontrol -p$(1) -Pdebian/tmp-$(1)
	dpkg-deb --root-owner-group -b debian/tmp-$(1) ..

endef
.PHONY: clean build build-arch build-indep binary binary-arch binary-indep
"""
DEBHELPER_RULES = """\
#!/usr/bin/make -f
%:
	dh $@
override_dh_auto_configure:
	@CONFIGURE@
override_dh_auto_build:
	@BUILD@
override_dh_auto_test:
	@TEST@
override_dh_auto_install:
	@INSTALL@
override_dh_builddeb:
	@PACK@
	dh_builddeb
"""
CHANGELOG = """\
greet (1.4-3) unstable; urgency=medium

  * Release.

 -- Ada Lovelace <ada@example.org>  Fri, 10 Dec 2021 10:10:10 +0000
"""
EPOCH_OF_CHANGELOG = 1639131010


def make_tree(folder: Path, *, rules: str = RULES, control: str = CONTROL) -> Path:
    (folder / "debian" / "source").mkdir(parents=True)
    (folder / "debian" / "control").write_text(control)
    (folder / "debian" / "changelog").write_text(CHANGELOG)
    (folder / "debian" / "rules").write_text(rules)
    (folder / "debian" / "rules").chmod(0o755)
    (folder / "debian" / "source" / "format").write_text("3.0 (quilt)\n")
    return folder


def debhelper_rules(step: str) -> str:
    rules = DEBHELPER_RULES.replace(f"@{step}@", "false")
    for other in ("CONFIGURE", "BUILD", "TEST", "INSTALL", "PACK"):
        rules = rules.replace(f"@{other}@", "true")
    return rules


def packages(built: Any) -> set[str]:
    return {name.split("_")[0] for name in built.results if name.endswith(".deb")}


@pytest.mark.parametrize("runner", ["nspawn", "userns"], indirect=True)
def test_tree_from_the_archive(build: Build, source_package: SourcePackage, arch: Arch) -> None:
    bundle = debian.read(source_package("tree"), arch=arch)
    built = build(bundle)
    assert built.status == 0, built.log[-3000:]
    assert built.headlines == ["prepare", "configure", "build", "qa", "install", "pack"]
    assert built.step == "pack"
    stem = f"tree_{bundle.version}_{arch}"
    wanted = {f"{stem}.deb", f"{stem}.changes", f"{stem}.buildinfo"}
    assert set(built.results) - wanted == {f"tree-dbgsym_{bundle.version}_{arch}.deb"}
    assert built.content(f"{stem}.deb")["usr/bin/tree"] == "-rwxr-xr-x"
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in built.results.values())
    assert f"{stem}.deb" in built.results[f"{stem}.changes"].read_text()


@pytest.mark.slow
def test_another_from_the_archive(build: Build, source_package: SourcePackage, arch: Arch) -> None:
    """With another build system; ``hello`` is built by the acceptance tests."""
    dsc = source_package("sl")
    bundle = debian.read(dsc, arch=arch, profiles=("nocheck",))
    built = build(bundle)
    assert built.status == 0, built.log[-3000:]
    assert "sl" in packages(built)


@pytest.mark.parametrize(
    ("kind", "profiles", "made"),
    [
        ("full", (), {"greet", "greet-data", "greet-doc"}),
        ("any", (), {"greet"}),
        ("all", ("nodoc",), {"greet-data"}),
    ],
)
def test_kinds_and_profiles(
    build: Build,
    tmp_path: Path,
    arch: Arch,
    kind: BuildKind,
    profiles: tuple[str, ...],
    made: set[str],
) -> None:
    bundle = debian.read(make_tree(tmp_path / "t"), arch=arch, kind=kind, profiles=profiles)
    built = build(bundle)
    assert built.status == 0, built.log[-3000:]
    assert packages(built) == made == set(bundle.provides)


def test_what_the_build_sees(build: Build, tmp_path: Path, arch: Arch) -> None:
    bundle = debian.read(make_tree(tmp_path / "t"), arch=arch, profiles=("nocheck", "stage1"))
    built = build(bundle, DEB_BUILD_OPTIONS="terse")
    assert built.status == 0, built.log[-3000:]
    assert "id 1000 1000 builder\n" in built.log
    options = "options terse parallel=2 nocheck profiles nocheck stage1 home /nonexistent\n"
    assert options in built.log
    assert f"epoch {EPOCH_OF_CHANGELOG} buildroot \n" in built.log


def test_same_sources_same_bytes(build: Build, tmp_path: Path, arch: Arch) -> None:
    bundle = debian.read(make_tree(tmp_path / "t"), arch=arch)
    first, second = build(bundle), build(bundle, LAPSTRAKE_JOBS="1")
    names = [name for name in first.results if name.endswith(".deb")]
    assert len(names) == 3
    for name in names:
        assert first.results[name].read_bytes() == second.results[name].read_bytes()


@pytest.mark.parametrize(
    ("requires", "builder", "uids"),
    [
        ("no", "1000", ("1000", "1000")),
        ("binary-targets", "1000", ("1000", "0")),  # fakeroot for the binary target
        ("no", "0", ("0", "0")),
    ],
)
def test_who_builds(
    build: Build, tmp_path: Path, arch: Arch, requires: str, builder: str, uids: tuple[str, str]
) -> None:
    control = CONTROL.replace("Root: no", f"Root: {requires}")
    bundle = debian.read(make_tree(tmp_path / "t", control=control), arch=arch, kind=BuildKind.ANY)
    built = build(bundle, LAPSTRAKE_BUILDER=builder)
    assert built.status == 0, built.log[-3000:]
    assert f"id {uids[0]} " in built.log
    package = next(path for name, path in built.results.items() if name.endswith(".deb"))
    folder = tmp_path / "unpacked"
    run(["dpkg-deb", "-x", package, folder], timeout=60, error=LapstrakeError)
    assert (folder / "usr/share/greet/uid-greet").read_text() == f"{uids[1]}\n"


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("CONFIGURE", "configure"),
        ("BUILD", "build"),
        ("TEST", "qa"),
        ("INSTALL", "install"),
        ("PACK", "pack"),
    ],
)
def test_the_failing_step_is_told(
    build: Build, tmp_path: Path, arch: Arch, where: str, step: str
) -> None:
    tree = make_tree(tmp_path / "t", rules=debhelper_rules(where))
    built = build(debian.read(tree, arch=arch))
    assert built.status != 0
    assert built.step == step
    assert built.results == {}
    assert "error: dpkg-buildpackage ended with status 2" in built.log


def test_plain_rules_tell_build_from_install(build: Build, tmp_path: Path, arch: Arch) -> None:
    control = CONTROL.replace("Root: no", "Root: binary-targets")
    for number, (old, step) in enumerate([("echo", "build"), ("rm -rf", "install")]):
        rules = RULES.replace(f"\t{old} ", f"\tfalse; exit 3; {old} ", 1)
        tree = make_tree(tmp_path / f"t{number}", rules=rules, control=control)
        built = build(debian.read(tree, arch=arch))
        assert (built.status != 0, built.step) == (True, step)


def test_missing_dependencies_are_named(build: Build, tmp_path: Path, arch: Arch) -> None:
    control = CONTROL.replace("debhelper-compat (= 13)", "libnowhere-dev (>= 7)")
    built = build(debian.read(make_tree(tmp_path / "t", control=control), arch=arch))
    assert (built.status != 0, built.step) == (True, "prepare")
    assert "Unmet build dependencies: libnowhere-dev (>= 7)" in built.log


def test_changed_sources_are_refused(
    build: Build, source_package: SourcePackage, tmp_path: Path, arch: Arch
) -> None:
    dsc = source_package("tree")
    folder = tmp_path / "sources"
    folder.mkdir()
    for path in dsc.parent.glob("tree_*"):
        shutil.copy(path, folder)
    bundle = debian.read(folder / dsc.name, arch=arch)
    archive = next(folder.glob("*.orig.tar.*"))
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)
    built = build(bundle)
    assert (built.status != 0, built.step, built.results) == (True, "prepare", {})
    assert "checksum" in built.log
    assert f"error: {dsc.name} does not unpack" in built.log


def test_a_build_without_packages_fails(build: Build, tmp_path: Path, arch: Arch) -> None:
    rules = RULES.replace("$(call pack,greet)", "true")
    built = build(debian.read(make_tree(tmp_path / "t", rules=rules), arch=arch, kind="any"))  # type: ignore[arg-type]
    assert built.status != 0
    assert built.results == {}
