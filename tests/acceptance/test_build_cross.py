"""Cross builds: a branch's amd64 root makes packages of arm64, which run where arm64 does."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from installed_root import install
from lapstrake.artifact.archives.pack import pack_archive
from lapstrake.artifact.identity import identify
from lapstrake.artifact.inputs.checksum import source_checksum
from lapstrake.artifact.manifest.read import read_package
from lapstrake.branch.foreign import with_foreign
from lapstrake.branch.instance import current_branch
from lapstrake.compose.base import How, Wanted
from lapstrake.compose.root import compose_root
from lapstrake.compose.wish import satisfy_words
from lapstrake.config.model import host_arch
from lapstrake.host.process import find_program
from lapstrake.names import Arch, BranchName
from lapstrake.repository.open import repository_of
from root_compare import differences
from roots import Completed, open_work_dir, run_cli
from shop import EXAMPLES, MAINTAINER, Shop, control

TUPLE = "aarch64-linux-gnu"
QEMU = "qemu-aarch64-static"
pytestmark = pytest.mark.skipif(host_arch() is not Arch.AMD64, reason="crosses from amd64")

ZLIB = """#include <stdio.h>
#include <zlib.h>
int main(void) { printf("zlib %s\\n", zlibVersion()); return 0; }
"""
MAKEFILE = """CC = gcc
all: size
size: size.c
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -lz
install:
	install -D size $(DESTDIR)$(PREFIX)/bin/size
"""
TELL = "#include <counter.h>\nint main(void) { count_to(2); return 0; }\n"
RULES = """#!/usr/bin/make -f
include /usr/share/dpkg/buildtools.mk
clean:
	rm -rf debian/tmp debian/files debian/substvars
build build-arch build-indep:
binary-indep:
binary binary-arch:
	@echo "profiles: $(DEB_BUILD_PROFILES) options: $(DEB_BUILD_OPTIONS) site: $(CONFIG_SITE)"
	mkdir -p debian/tmp/usr/bin debian/tmp/DEBIAN
	$(CC) -o debian/tmp/usr/bin/reef reef.c -lz
	dpkg-shlibdeps debian/tmp/usr/bin/reef
	dpkg-gencontrol -preef
	dpkg-deb --root-owner-group --build debian/tmp ..
"""
SOURCE = f"""Source: reef
Maintainer: {MAINTAINER}
Build-Depends: zlib1g-dev, absent-tool <!cross>, absent-checker <!nocheck>, absent-lib [amd64]

Package: reef
Architecture: any
Depends: ${{shlibs:Depends}}
Description: a test

Package: reef-data
Architecture: all
Description: a test of what is not built
"""
PACKAGE = f"""[package]
name = "reefchain"
type = "toolchain"
version = "1.{secrets.randbelow(1 << 30)}"
target = "aarch64-reef-linux-gnu"
checksum = ["lapstrake.toml"]

[[site]]
folder = "site"
"""
"""A new one each time: the shop may keep the artifacts of the last session."""
CHANGELOG = f"""reef (1.0) unstable; urgency=low

  * A test.

 -- {MAINTAINER}  Sat, 02 Jan 2021 03:04:05 +0000
"""


def native(shop: Shop, name: str, *, steps: str, extra: str = "", **files: str) -> Path:
    """A native bundle that is compiled; all of them need the same, so that one root serves all."""
    folder = shop.bundle(name, files={f"src/{file}": text for file, text in files.items()})
    (folder / "lapstrake.toml").write_text(
        f'[package]\nname = "{name}"\nversion = "1"\ndescription = "a test"\n'
        f"[depends]\nbuild = [{extra}'zlib1g-dev']\ntoolchain = true\n[steps]\n"
        f"prepare = 'cp -r \"$BUNDLE/src/.\" .'\n{steps}\n"
    )
    return folder


@pytest.fixture
def zlib_user(shop: Shop) -> Path:
    """A bundle whose makefile wants ``gcc``, and whose check wants to run what it made."""
    steps = 'use = "make"\ncheck = "./size"'
    return native(shop, "size", steps=steps, **{"size.c": ZLIB, "Makefile": MAKEFILE})


@pytest.fixture
def reef(shop: Shop) -> Path:
    """A Debian source, some of whose dependencies hold only for other builds."""
    tree = shop.scratch() / "reef"
    (tree / "debian/source").mkdir(parents=True)
    (tree / "debian/source/format").write_text("3.0 (native)\n")
    (tree / "debian/changelog").write_text(CHANGELOG)
    (tree / "debian/control").write_text(SOURCE)
    (tree / "debian/rules").write_text(RULES)
    (tree / "debian/rules").chmod(0o755)
    (tree / "reef.c").write_text(ZLIB)
    return tree


def run_on_arm64(shop: Shop, folder: Path, debs: list[Path], *program: str) -> str:
    """Install packages in a folder, with the C library and zlib, and run a program of theirs."""
    if find_program(QEMU) is None:
        pytest.skip(f"needs {QEMU}")
    root = folder / "root"
    (root / "usr/lib").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    layers = sorted(open_work_dir(shop.work_dir).store.layers(), key=lambda layer: layer.created)
    of_arm64 = [layer for layer in layers if layer.facts.get("arch") == "arm64"]
    libc = [layer for layer in of_arm64 if layer.kind == "foreign"]
    zlib = [layer for layer in of_arm64 if layer.facts.get("name") == "zlib1g"]
    for newest in (*libc[-1:], *zlib[-1:]):
        source, target = newest.tree / "usr/lib", root / "usr/lib"
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(root)], check=True)
    words = [QEMU, "-L", str(root), str(root / program[0]), *program[1:]]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def debs_of(shop: Shop, branch: str, record: Any) -> list[Path]:
    return [shop.output(branch) / row["name"] for row in record["outputs"] if row["published"]]


def test_a_native_bundle_with_a_library(
    shop: Shop, branch: str, zlib_user: Path, tmp_path: Path
) -> None:
    record = shop.build(zlib_user, branch, "--target", TUPLE)
    assert record["arch"] == "arm64"
    packages = [each.partition("=")[0] for each in record["inputs"]["packages"]]
    assert {"zlib1g-dev:arm64", "crossbuild-essential-arm64"} <= set(packages)
    assert "zlib1g-dev" not in packages
    assert "composed" in record["inputs"]["dependencies_reason"]
    (deb,) = debs_of(shop, branch, record)
    assert deb.name == "size_1-1_arm64.deb"
    assert {"libc6", "zlib1g"} <= {word.split()[0] for word in control(deb)["Depends"].split(", ")}
    assert ">>> qa" not in shop.log(record), "nothing that was made runs here"
    assert run_on_arm64(shop, tmp_path, [deb], "usr/bin/size").startswith("zlib 1.")

    plan = json.loads(
        shop.ok("build", "--dry-run", "--json", "--target", "arm64", str(zlib_user), branch).stdout
    )
    targets = [row for row in plan if row["stage"] == "target"]
    assert [row["what"] for row in targets] == [""], "all is there"
    told = {row["stage"]: row for row in plan}
    assert "build size 1-1 for arm64" in told["build"]["what"]


@pytest.mark.slow
def test_a_composed_root_is_what_apt_makes(shop: Shop, tmp_path: Path) -> None:
    """With packages of both architectures, some of them there twice, with files of both."""
    place = open_work_dir(shop.work_dir)
    branch = current_branch(place, BranchName("stable"))
    assert branch is not None
    branch = with_foreign(place, branch, Arch.ARM64)
    repository = repository_of(place, branch.name)
    wanted = Wanted(
        packages=("libpcre2-8-0", "zlib1g-dev"), relations="libc-dev, pkg-config", host=Arch.ARM64
    )
    since = time.time()
    root = compose_root(place, branch, repository, wanted)
    assert root.how is How.COMPOSED, root.reason
    assert {"arm64", "amd64"} < {package.arch for package in root.added}
    tree = tmp_path / "installed"
    install(place, branch, satisfy_words(wanted), debs=tmp_path / "debs", tree=tree)
    found = differences(
        [layer.tree for layer in root.stack],
        [*(layer.tree for layer in branch.layers), tree],
        since=since,
        scratch=tmp_path,
    )
    assert not found


def test_a_debian_source(shop: Shop, branch: str, reef: Path, tmp_path: Path) -> None:
    record = shop.build(reef, branch, "--target", "arm64")
    assert "profiles: cross nocheck options: parallel=" in shop.log(record)
    assert "site: /etc/dpkg-cross/cross-config.arm64" in shop.log(record)
    (deb,) = debs_of(shop, branch, record)
    assert deb.name == "reef_1.0_arm64.deb", "what is for all architectures needs no target"
    assert "zlib1g" in control(deb)["Depends"]
    assert run_on_arm64(shop, tmp_path, [deb], "usr/bin/reef").startswith("zlib 1.")


@pytest.fixture
def chain(shop: Shop) -> Path:
    """A toolchain: programs that call Debian's; the compiler leaves a mark."""
    folder = shop.scratch() / "chain"
    (folder / "bin").mkdir(parents=True)
    for tool in ("gcc", "strip", "objdump", "ar"):
        file = folder / f"bin/aarch64-reef-linux-gnu-{tool}"
        extra = "-DMADE_BY='\"us\"'" if tool == "gcc" else ""
        file.write_text(f'#!/bin/sh\nexec /usr/bin/{TUPLE}-{tool} {extra} "$@"\n')
        file.chmod(0o755)
    return folder


@pytest.fixture
def marked(shop: Shop) -> Path:
    """A bundle that only that toolchain compiles; its root is the one of all others here."""
    return native(
        shop,
        "who",
        extra="'crossbuild-essential-arm64:native', 'libc-dev', ",
        steps="build = '$CC -o who who.c'\ninstall = 'install -D who \"$DESTDIR/bin/who\"'",
        **{"who.c": '#include <stdio.h>\nint main(void) { puts("made by " MADE_BY); return 0; }\n'},
    )


def test_a_folder_as_toolchain(shop: Shop, branch: str, chain: Path, marked: Path) -> None:
    words = ("--no-publish", "--target", "arm64", "--toolchain", str(chain))
    first = shop.build(marked, branch, *words)
    compiler = chain / "bin/aarch64-reef-linux-gnu-gcc"
    compiler.write_text(compiler.read_text() + "# changed\n")
    second = shop.build(marked, branch, *words)
    assert first["inputs"]["toolchain"] != second["inputs"]["toolchain"]
    assert first["inputs"]["dependencies"] == second["inputs"]["dependencies"]
    other = shop.build_fails(30, marked, branch, "--target", "riscv64", "--toolchain", str(chain))
    assert "compiles for aarch64" in other["error"]


def test_an_artifact_as_toolchain(
    shop: Shop, branch: str, chain: Path, marked: Path, tmp_path: Path
) -> None:
    """Of a project, by its package's name: got from a site first."""
    project = shop.scratch()
    (project / "lapstrake.toml").write_text(PACKAGE)
    package = read_package(project)
    identity = identify(package, source_checksum(package), {})
    (project / "site").mkdir()
    pack_archive(chain, project / "site" / identity.file_name, top=identity.download_name)

    def run(*words: str) -> Completed:
        return run_cli(*words, work_dir=shop.work_dir, cwd=project)

    words = ("--json", "--target", "arm64", "--toolchain", "reefchain", str(marked), branch)
    early = run("build", *words)
    assert early.status == 27, early.stderr
    assert "lapstrake artifact get reefchain" in early.stderr
    assert run("artifact", "get").ok
    records = [json.loads(run("build", *more, *words).stdout) for more in ((), ("--no-publish",))]
    first, second = (record["inputs"]["toolchain"] for record in records)
    assert first == second, "getting and using it does not make it another one"
    debs = debs_of(shop, branch, records[0])
    assert run_on_arm64(shop, tmp_path, debs, "bin/who") == "made by us\n"
    assert "toolchain" in shop.ok("why", records[0]["id"]).stdout


@pytest.mark.slow
def test_a_source_of_the_archive(shop: Shop, branch: str, tmp_path: Path) -> None:
    record = shop.build("apt:tree", branch, "--target", TUPLE)
    debs = [deb for deb in debs_of(shop, branch, record) if deb.name.startswith("tree_")]
    assert run_on_arm64(shop, tmp_path, debs, "usr/bin/tree", "--version").startswith("tree v")


def test_what_is_compiled_with_the_wrong_compiler(shop: Shop, branch: str) -> None:
    steps = "build = 'gcc -o who who.c'\ninstall = 'install -D who \"$DESTDIR/bin/who\"'"
    source = "int main(void) { return 0; }\n"
    bundle = native(shop, "wrong", steps=steps, **{"who.c": source})
    failed = shop.build_fails(17, bundle, branch, "--target", "arm64")
    assert "bin/who is not for arm64: it must be compiled with $CC or $CXX" in failed["stderr"]


def test_what_the_target_does_not_have(shop: Shop, branch: str, zlib_user: Path) -> None:
    """The dependency is named, with its architecture."""
    text = (zlib_user / "lapstrake.toml").read_text()
    (zlib_user / "lapstrake.toml").write_text(text.replace("zlib1g-dev", "absent-dev"))
    failed = shop.build_fails(10, zlib_user, branch, "--target", "arm64")
    assert "does not have what is needed: absent-dev:arm64" in failed["error"]


def test_what_cannot_be_crossed(shop: Shop, branch: str, zlib_user: Path) -> None:
    def refused(code: int, bundle: object, *words: str) -> str:
        return shop.fails(code, "build", *words, str(bundle), branch).stderr

    assert "Debian has no packages for 'vax'" in refused(2, zlib_user, "--target", "vax")
    assert "have no target" in refused(2, zlib_user, "-A", "--target", "arm64")
    assert "there is no target" in refused(2, zlib_user, "--toolchain", "/usr")
    everywhere = shop.bundle("everywhere")
    said = refused(6, everywhere, "--target", "arm64")
    assert "lapstrake.toml:6: package.architecture" in said
    assert "for all architectures, not for arm64" in said
    own = shop.build(everywhere, branch, "--target", "amd64")
    assert own["arch"] == "amd64", "a target that is the root's own is none"
    aosc = next(iter(sorted((EXAMPLES / "tree").glob("*/*/spec")))).parent
    assert "cannot be cross-compiled for arm64" in refused(6, aosc, "--target", "arm64")
    assert "loong64" in refused(5, zlib_user, "--target", "loong64"), "no archive has it"
    assert "no folder" in refused(27, zlib_user, "--target", "arm64", "--toolchain", "./none")


def test_a_group_links_with_its_own_library(shop: Shop, branch: str, tmp_path: Path) -> None:
    """The library is an example; it is in the branch's repository, for arm64 alone.

    It is the last test: what apt knows of a branch with packages displaces what it knew of the
    others, which are as yet empty.
    """
    counter = EXAMPLES / "native" / "counter"
    user = native(
        shop,
        "tell",
        extra="'libcounter-dev', ",
        steps="build = '$CC -o tell tell.c -lcounter'\ninstall = 'install -D -t $DESTDIR/bin tell'",
        **{"tell.c": TELL},
    )
    done = shop.ok("build", "--group", "--json", "--target", TUPLE, str(user), str(counter), branch)
    assert [row["state"] for row in json.loads(done.stdout)] == ["built", "built"]
    debs = sorted(shop.output(branch).glob("*.deb"))
    assert {control(deb)["Architecture"] for deb in debs} == {"arm64"}
    assert run_on_arm64(shop, tmp_path / "tell", debs, "bin/tell") == "1 2\n"
    assert run_on_arm64(shop, tmp_path / "count", debs, "usr/bin/count", "3") == "1 2 3\n"
