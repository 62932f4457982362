"""The driver of native bundles: steps, packages, plain results."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from lapstrake.bundle import native
from lapstrake.bundle.base import Bundle
from lapstrake.errors import LapstrakeError
from lapstrake.host.process import run
from lapstrake.names import Arch

Build = Callable[..., Any]
EXAMPLES = Path(__file__).parents[3] / "examples/native"
EPOCH = 1_600_000_000
HEAD = """\
[package]
name = "greet"
version = "1.4"
description = "greets"
maintainer = "Ada Lovelace <ada@example.org>"
architecture = "all"
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[str], Bundle]:
    count = 0

    def make(text: str) -> Bundle:
        nonlocal count
        count += 1
        folder = tmp_path / f"bundle-{count}"
        folder.mkdir()
        (folder / "lapstrake.toml").write_text(HEAD + text)
        return native.read(folder, arch=Arch.AMD64)

    return make


def members(package: Path) -> list[tarfile.TarInfo]:
    data = run(["dpkg-deb", "--fsys-tarfile", package], timeout=60, error=LapstrakeError).stdout
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        return archive.getmembers()


DEB = "greet_1.4-1_all.deb"


def test_nothing(build_here: Build, arch: Arch) -> None:
    built = build_here(native.read(EXAMPLES / "nothing", arch=arch))
    assert (built.status, built.step, built.headlines) == (0, "build", ["build"])
    assert built.results == {}


def test_greeting(build_here: Build, arch: Arch) -> None:
    built = build_here(native.read(EXAMPLES / "greeting", arch=arch))
    assert built.status == 0, built.log
    name = "greeting_1.0-1_all.deb"
    assert list(built.results) == [name]
    assert built.fields(name) | {"Installed-Size": "?"} == {
        "Package": "greeting",
        "Version": "1.0-1",
        "Architecture": "all",
        "Maintainer": "The Lapstrake developers <lapstrake@example.org>",
        "Installed-Size": "?",
        "Depends": "dash | bash",
        "Section": "utils",
        "Priority": "optional",
        "Description": "greets whoever logs in",
    }
    assert built.content(name)["usr/bin/greeting"] == "-rwxr-xr-x"
    assert built.control(name, "conffiles") == "/etc/greeting.conf\n"
    assert built.control(name, "postinst").startswith("#!/bin/sh\nset -e\necho ")
    script = (EXAMPLES / "greeting" / "greeting.sh").read_bytes()
    digest = hashlib.md5(script).hexdigest()
    assert f"{digest}  usr/bin/greeting\n" in built.control(name, "md5sums")


def test_counter_in_a_root(build: Build, arch: Arch) -> None:
    built = build(native.read(EXAMPLES / "counter", arch=arch))
    assert built.status == 0, built.log
    assert built.headlines == ["prepare", "build", "qa", "install", "pack", "pack"]
    library, headers, program = (
        f"{name}_0.3-2_{arch}.deb" for name in ("libcounter0", "libcounter-dev", "counter")
    )
    assert set(built.results) == {library, headers, program, "counter.h"}
    assert built.fields(program)["Depends"].startswith("libcounter0 (= 0.3-2), libc6 (>= ")
    assert built.fields(library)["Source"] == "counter"
    assert built.fields(headers)["Section"] == "libdevel"
    files = {name for name in built.content(headers) if not name.endswith("/")}
    multiarch = next(name.split("/")[2] for name in files if name.endswith(".so"))
    assert files == {"usr/include/counter.h", f"usr/lib/{multiarch}/libcounter.so"}
    assert [name for name in built.content(library) if ".so" in name] == [
        f"usr/lib/{multiarch}/libcounter.so.0"
    ]
    data = run(
        ["dpkg-deb", "--fsys-tarfile", built.results[program]], timeout=60, error=LapstrakeError
    )
    assert b".debug_info" not in data.stdout  # stripped


@pytest.mark.slow
def test_a_preset_in_a_root(
    build: Build, arch: Arch, source_package: Callable[[str], Path], tmp_path: Path
) -> None:
    dsc = source_package("hello")
    (archive,) = dsc.parent.glob("hello_*.orig.tar.gz")
    made = native.read(EXAMPLES / "hello", arch=arch)
    assert made.sources[0].digest is not None
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == made.sources[0].digest.hex
    # Unpacked as the host unpacks it, and put below the bundle: the step copies it from there.
    folder = tmp_path / "hello"
    folder.mkdir()
    text = (EXAMPLES / "hello" / "lapstrake.toml").read_text()
    start, end = text.index("[[source]]"), text.index("[steps]")
    prepare = "[steps]\nprepare = 'tar --strip-components=1 -xf \"$BUNDLE/hello.tar.gz\"'"
    text = text[:start] + text[end:].replace("[steps]", prepare)
    (folder / "lapstrake.toml").write_text(text)
    (folder / "hello.tar.gz").write_bytes(archive.read_bytes())
    built = build(native.read(folder, arch=arch))
    assert built.status == 0, built.log[-3000:]
    name = f"lapstrake-hello_2.10-1_{arch}.deb"
    assert built.content(name)["usr/bin/hello"] == "-rwxr-xr-x"
    assert built.fields(name)["Depends"].startswith("libc6 (>= ")


@pytest.mark.parametrize(
    ("steps", "line", "step"),
    [
        ("build = 'false'\n", 8, "build"),
        ("prepare = '''\ntrue\n  ls /nowhere\ntrue'''\n", 10, "prepare"),
        ("configure = [\n 'true',\n ['test', '1', '=', '2'],\n]\n", 10, "configure"),
        ("check = '''\nf() {\n  false\n}\nf\n'''\n", 10, "qa"),
        ("install = 'true | false | true'\n", 8, "install"),
        ("install = '''\n(\n  exit 3\n)\n'''\n", 11, "install"),
    ],
)
def test_a_failing_command_is_named_by_line(
    build_here: Build, bundle: Callable[[str], Bundle], steps: str, line: int, step: str
) -> None:
    built = build_here(bundle(f"[steps]\n{steps}"))
    assert built.status != 0
    assert built.step == step
    assert f"error: lapstrake.toml:{line}: status " in built.log
    assert built.results == {}


def test_a_preset_that_fails_is_named(build_here: Build, bundle: Callable[[str], Bundle]) -> None:
    built = build_here(bundle("[steps]\nuse = 'make'\n"))
    assert (built.status != 0, built.step) == (True, "build")
    assert "error: plan/steps/3-build.sh:2: status 2: make" in built.log


def test_exit_and_syntax_errors_fail(build_here: Build, bundle: Callable[[str], Bundle]) -> None:
    built = build_here(bundle("[steps]\nbuild = 'exit 7'\n"))
    assert "error: step build ended with status 7" in built.log
    built = build_here(bundle("[steps]\nbuild = '''\nif true\n'''\n"))
    assert built.status != 0
    assert "3-build.sh: line 1" in built.log


def test_steps_do_not_leak_into_each_other(
    build_here: Build, bundle: Callable[[str], Bundle]
) -> None:
    text = """
[steps]
environment = { COLOUR = "it's $blue" }
prepare = '''
mkdir sub; cd sub; leaked=yes; export also=yes; umask 077; shopt -s nullglob; set +e
'''
build = '''
test "$PWD" = "$SRCDIR"
test -z "${leaked-}${also-}"
test "$COLOUR" = "it's \\$blue"
test "$NAME-$VERSION-$ARCH" = "greet-1.4-1-amd64" || test "$ARCH" != amd64
test "$MULTIARCH" != "" -a "$JOBS" = 2 -a -f "$BUNDLE/lapstrake.toml"
test "$(umask)" = 0022
test "$(echo no*such)" = "no*such"
! read -r line # nothing to read
'''
install = 'install -D -m 644 /dev/null "$DESTDIR/usr/share/a b/c d"'
"""
    built = build_here(bundle(text))
    assert built.status == 0, built.log
    assert built.content(DEB)["usr/share/a b/c d"] == "-rw-r--r--"


ODD_FILES = """
[steps]
install = '''
cd "$DESTDIR"
mkdir -p usr/bin usr/share/doc/greet etc/greet.d opt/empty var
echo one >"usr/bin/a b*"
chmod 4755 "usr/bin/a b*"
ln "usr/bin/a b*" usr/bin/hard
ln -s /nowhere usr/bin/dangling
echo x >etc/greet.d/x.conf
echo hidden >usr/share/doc/greet/.hidden
chmod 750 var
touch -d 2001-01-01 usr/share/doc/greet/.hidden
'''
"""


def test_odd_files_survive(build_here: Build, bundle: Callable[[str], Bundle]) -> None:
    built = build_here(bundle(ODD_FILES))
    assert built.status == 0, built.log
    content = built.content(DEB)
    assert content["usr/bin/a b*"].startswith("-rwsr-xr-x")
    assert content["usr/bin/dangling"] == "lrwxrwxrwx"
    assert {"opt/empty/", "usr/share/doc/greet/.hidden"} <= content.keys()
    assert content["var/"] == "drwxr-x---"
    assert built.control(DEB, "conffiles") == "/etc/greet.d/x.conf\n"
    found = {member.name: member for member in members(built.results[DEB])}
    assert {(member.uid, member.gid) for member in found.values()} == {(0, 0)}
    assert max(member.mtime for member in found.values()) == EPOCH
    assert found["./usr/share/doc/greet/.hidden"].mtime < EPOCH
    assert sum(member.islnk() for member in found.values()) == 1


def test_builds_are_reproducible(build_here: Build, bundle: Callable[[str], Bundle]) -> None:
    made = bundle(ODD_FILES)
    first, second = build_here(made), build_here(made)
    assert first.results[DEB].read_bytes() == second.results[DEB].read_bytes()


def test_outputs_take_their_files(build_here: Build, bundle: Callable[[str], Bundle]) -> None:
    outputs = """
[[output]]
[[output]]
name = "greet-bin"
files = ["usr/bin/[a-d]*", "var"]
conffiles = ["usr/bin/d*"]
[[output]]
name = "greet-doc"
files = ["**/.hidden"]
"""
    built = build_here(bundle(ODD_FILES + outputs))
    assert built.status == 0, built.log
    names = {name.split("_")[0]: name for name in built.results}
    files = {key: set(built.content(name)) for key, name in names.items()}
    assert files["greet-bin"] == {"usr/", "usr/bin/", "usr/bin/a b*", "usr/bin/dangling", "var/"}
    assert built.control(names["greet-bin"], "conffiles") == "/usr/bin/dangling\n"
    assert "usr/share/doc/greet/.hidden" in files["greet-doc"]
    assert files["greet"] == {
        "usr/", "usr/bin/", "usr/bin/hard", "etc/", "etc/greet.d/", "etc/greet.d/x.conf", "opt/",
        "opt/empty/",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        ("[[output]]\nfiles = ['usr/bin', 'usr/lib/*']\n", "nothing matches 'usr/lib/*'"),
        ("[[output]]\nfiles = ['usr/sbin']\n", "nothing matches 'usr/sbin'"),
        ("[[output]]\nfiles = ['usr']\n", "installed, but in no output:\n/etc/greet.d/x.conf\n"),
        ("[[output]]\nconffiles = ['etc/y']\n", "nothing matches 'etc/y'"),
        ("[results]\nfiles = ['*.img']\n", "nothing matches '*.img'"),
    ],
)
def test_what_is_packed_must_be_there(
    build_here: Build, bundle: Callable[[str], Bundle], outputs: str, problem: str
) -> None:
    built = build_here(bundle(ODD_FILES + outputs))
    assert (built.status != 0, built.step) == (True, "pack")
    assert problem in built.log


def test_plain_results(build_here: Build, bundle: Callable[[str], Bundle]) -> None:
    text = "[steps]\nbuild = 'mkdir d; echo 1 >a.img; echo 2 >d/b.img; ln -s a.img l'\n[results]\n"
    built = build_here(bundle(text + "files = ['**/*.img']"))
    assert built.status == 0, built.log
    assert [built.results[name].read_text() for name in ("a.img", "b.img")] == ["1\n", "2\n"]
    for pattern in ("d", "l"):
        built = build_here(bundle(text + f"files = ['{pattern}']"))
        assert f"error: {pattern} is not a plain file" in built.log
    clash = text.replace("d/b.img", "d/a.img") + "files = ['**/*.img']"
    assert "two results are called a.img" in build_here(bundle(clash)).log
