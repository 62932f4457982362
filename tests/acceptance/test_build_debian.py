"""Debian sources through the program, from the archive, a .dsc or a folder; dependencies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clean_root import install_and_run
from roots import cli_command, cli_environment
from shop import Shop, control, file_of

CHANGELOG = """knot (1.0) unstable; urgency=low

  * A test.

 -- Ada Lovelace <ada@example.org>  Sat, 02 Jan 2021 03:04:05 +0000
"""
CONTROL = """Source: knot
Section: misc
Priority: optional
Maintainer: Ada Lovelace <ada@example.org>
Build-Depends: knot-checker <!nocheck>
Standards-Version: 4.6.2
Rules-Requires-Root: no

Package: knot
Architecture: any
Description: a test
 Of binary packages.

Package: knot-data
Architecture: all
Description: a test
 Of packages for every machine.
"""
RULES = """#!/usr/bin/make -f
clean:
	rm -rf debian/tmp-* debian/files debian/*.substvars
build build-arch build-indep:
%.pack:
	@echo "options: $(DEB_BUILD_OPTIONS) profiles: $(DEB_BUILD_PROFILES) user: $$(id -u)"
	mkdir -p debian/tmp-$*/DEBIAN debian/tmp-$*/usr/share/$*
	echo "$*" > debian/tmp-$*/usr/share/$*/name
	dpkg-gencontrol -p$* -Pdebian/tmp-$*
	dpkg-deb --root-owner-group --build debian/tmp-$* ..
binary-arch: knot.pack
binary-indep: knot-data.pack
binary: binary-arch binary-indep
"""


@pytest.fixture
def knot(shop: Shop) -> Path:
    """A small source of two packages, which needs ``knot-checker`` unless it is not checked."""
    tree = shop.scratch() / "knot"
    (tree / "debian/source").mkdir(parents=True)
    (tree / "debian/source/format").write_text("3.0 (native)\n")
    (tree / "debian/changelog").write_text(CHANGELOG)
    (tree / "debian/control").write_text(CONTROL)
    (tree / "debian/rules").write_text(RULES)
    (tree / "debian/rules").chmod(0o755)
    return tree


@pytest.mark.slow
def test_a_source_of_the_archive_installed_elsewhere(shop: Shop, branch: str) -> None:
    record = shop.build("apt:tree", branch)
    assert record["name"] == "tree"
    beside = {file.suffix for file in (shop.records() / record["id"] / "output").iterdir()}
    assert beside == {".changes", ".buildinfo"}
    assert not list(shop.output(branch).glob("*.changes"))
    version = record["version"].rpartition(":")[2]
    deb = control(shop.output(branch) / f"tree_{version}_amd64.deb")
    assert deb["Package"] == "tree"
    assert "libc6" in deb["Depends"]
    said = install_and_run(shop, branch, "tree", "tree --version; apt-cache policy tree")
    assert said.startswith("tree v")
    assert "127.0.0.1" in said, "it came from our repository"


@pytest.mark.slow
def test_an_unprivileged_user_builds_it_too(user_shop: Shop) -> None:
    branch = user_shop.branch()
    record = user_shop.build("apt:sl", branch)
    assert record["runner"] == "userns"
    (deb,) = user_shop.output(branch).glob("sl_*_amd64.deb")
    assert file_of(deb, "/usr/games/sl")[:4] == b"\x7fELF"


def test_unknown_source_package(shop: Shop, branch: str) -> None:
    absent = shop.fails(6, "build", "apt:no-such-source", branch).stderr
    assert f"the archives of {branch} have no source package no-such-source" in absent


def test_an_unknown_dependency_is_named(shop: Shop, branch: str, knot: Path) -> None:
    failed = shop.build_fails(10, knot, branch)
    assert failed["error"] == f"knot: {branch} does not have what is needed: knot-checker"


def test_profiles_and_kinds(shop: Shop, branch: str, knot: Path) -> None:
    record = shop.build(knot, branch, "-P", "nocheck")
    (line, _) = re.findall("^options: .*", shop.log(record), re.MULTILINE)
    assert {"nocheck", f"parallel={os.cpu_count()}"} <= set(line.split())
    assert line.endswith("profiles: nocheck user: 1000")
    names = {row["name"] for row in record["outputs"] if row["name"].endswith(".deb")}
    assert names == {"knot_1.0_amd64.deb", "knot-data_1.0_all.deb"}
    arch = shop.build(knot, branch, "-P", "nocheck", "-B", "--no-publish")
    names = {row["name"] for row in arch["outputs"] if row["name"].endswith(".deb")}
    assert names == {"knot_1.0_amd64.deb"}
    indep = shop.build(knot, branch, "-P", "nocheck", "-A", "--no-publish")
    names = {row["name"] for row in indep["outputs"] if row["name"].endswith(".deb")}
    assert names == {"knot-data_1.0_all.deb"}


def test_a_dsc_and_its_reproducible_bytes(shop: Shop, branch: str, knot: Path) -> None:
    subprocess.run(
        ["dpkg-source", "-b", knot.name], cwd=knot.parent, check=True, capture_output=True
    )
    shutil.rmtree(knot)
    record = shop.build(knot.parent / "knot_1.0.dsc", branch, "-P", "nocheck", "--check")
    assert record["inputs"]["sources"].keys() >= {"knot_1.0.tar.xz"}
    assert (shop.output(branch) / "knot_1.0_amd64.deb").exists()


def test_a_published_package_satisfies_a_dependency(shop: Shop, branch: str, knot: Path) -> None:
    """Also one that the archive has newer: one's own packages are built to be used."""
    failed = shop.build_fails(10, knot, branch)
    assert "knot-checker" in failed["error"]
    shop.build(shop.bundle("knot-checker"), branch)
    record = shop.build(knot, branch)
    assert "knot-checker=1-1" in record["inputs"]["packages"]
    again = shop.build(knot, branch)
    assert again["inputs"]["dependencies"] == record["inputs"]["dependencies"]
    assert again["inputs"]["dependencies_reason"].endswith("in the store")
    shop.build(shop.bundle("knot-checker", version="2"), branch)
    third = shop.build(knot, branch)
    assert "knot-checker=2-1" in third["inputs"]["packages"]
    assert third["inputs"]["dependencies"] != record["inputs"]["dependencies"]


def test_own_packages_are_preferred_to_newer_ones(shop: Shop, branch: str) -> None:
    shop.build(shop.bundle("netbase", version="0.1"), branch)
    user = shop.bundle("uses-netbase", extra='[depends]\nbuild = ["netbase"]')
    assert shop.build(user, branch)["inputs"]["packages"] == ["netbase=0.1-1"]


def test_a_layer_is_shared_by_bundles_of_equal_needs(shop: Shop, branch: str) -> None:
    shop.build(shop.bundle("shared-need"), branch)
    needs = '[depends]\nbuild = ["shared-need"]'
    first = shop.build(shop.bundle("sharer-one", extra=needs), branch)
    second = shop.build(shop.bundle("sharer-two", extra=needs), branch)
    assert first["inputs"]["dependencies_reason"] == "1 packages, composed now"
    assert second["inputs"]["dependencies_reason"] == "1 packages, composed, in the store"
    assert first["inputs"]["dependencies"] == second["inputs"]["dependencies"] != ""


def test_a_second_build_needs_no_network(shop: Shop, branch: str) -> None:
    """Not even the host's: the program itself runs in an empty network namespace."""
    shop.build(shop.bundle("far-need"), branch)
    bundle = shop.bundle("farmer", extra='[depends]\nbuild = ["far-need"]')
    shop.build(bundle, branch)

    def cut_off(*words: str) -> str:
        command = cli_command("--set=refresh.mode=always", "build", *words, str(bundle), branch)
        done = subprocess.run(
            ["unshare", "--net", *command],
            env=cli_environment(shop.work_dir),
            cwd=shop.work_dir,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "cannot tell whether upstream changed" in cut_off()
    assert "upstream" not in cut_off("--no-refresh")
