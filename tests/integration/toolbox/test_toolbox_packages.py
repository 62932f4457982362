"""What is in the packages: fields, modes, manuals, scripts, debug information; twice the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Build, Built

TREE = Path(__file__).parents[3] / "examples/tree"


@pytest.fixture
def httpd(build: Build) -> Built:
    """A bundle with overrides, conffiles, users, alternatives and a manual."""
    built = build(TREE / "app-web/micro-httpd")
    assert built.status == 0, built.log
    return built


def test_a_rich_bundle_comes_out_whole(
    httpd: Built, deb: Callable[[str, Path], str], modes: Callable[[Path], dict[str, str]]
) -> None:
    found = modes(httpd.package)
    assert found["/usr/share/man/man8/micro_httpd.8.xz"] == "-rw-r--r--"
    assert "/usr/share/man/man8/micro_httpd.8" not in found
    assert found["/usr/lib/systemd/system/micro-httpd.socket"] == "-rw-r--r--"
    information = deb("-I", httpd.package)
    for name in ("conffiles", "md5sums", "postinst", "prerm"):
        assert re.search(rf"^ .*\b{name}\b", information, re.M), information
    assert "root/root" in deb("-c", httpd.package)
    assert all(name.endswith("-0_amd64.deb") or "arm64" in name for name in httpd.packages)


def test_control_fields(build: Build, deb: Callable[[str, Path], str]) -> None:
    built = build(TREE / "app-network/corkscrew")
    fields = dict(
        line.split(": ", 1) for line in deb("-f", built.package).splitlines() if line[0] != " "
    )
    assert built.package.name.startswith("corkscrew_2.0-2_")
    assert fields["Version"] == "2.0-2"
    assert fields["Section"] == "net"
    assert fields["Depends"].startswith("glibc")
    assert fields["Description"] == "Tunnels TCP connections through HTTP proxies"
    sum_ = hashlib.md5(fields["Description"].encode() + b"\n", usedforsecurity=False)
    assert fields["Description-md5"] == sum_.hexdigest()
    assert 4 <= int(fields["Installed-Size"]) < 200


def test_noarch_with_an_epoch_and_no_revision(
    build: Build, deb: Callable[[str, Path], str]
) -> None:
    built = build(TREE / "meta-bases/base-example")
    assert list(built.packages) == ["base-example_1-0_all.deb"]
    fields = deb("-f", built.package)
    assert "Version: 1:1\n" in fields
    assert "Architecture: all\n" in fields
    assert "Multi-Arch: foreign\n" in fields
    assert "Depends: corkscrew, fping\n" in fields


def test_names_of_the_base_replace_those_of_aosc(
    build: Build, deb: Callable[[str, Path], str]
) -> None:
    names = "glibc=libc6\nsystemd="
    built = build(TREE / "app-web/micro-httpd", env={"LAPSTRAKE_DEPENDENCY_NAMES": names})
    # libc6 is in the root: it was built with that version, and needs it or a later one.
    assert re.search(r"^Depends: libc6 \(>= 2\.[^,]*\)$", deb("-f", built.package), re.M)


def test_debug_information_goes_to_a_package_of_its_own(
    build: Build, deb: Callable[[str, Path], str]
) -> None:
    built = build(TREE / "app-network/corkscrew")
    (debug,) = (path for name, path in built.packages.items() if name.startswith("corkscrew-dbg_"))
    assert re.search(r"/usr/lib/debug/\.build-id/../[0-9a-f]{38}\.debug\n", deb("-c", debug))
    assert "Depends: corkscrew (= 2.0-2)\n" in deb("-f", debug)


def test_two_builds_give_the_same_bytes(build: Build) -> None:
    first, second = (build(TREE / "app-network/fping") for _ in range(2))
    assert first.status == second.status == 0
    assert len(first.packages) == 2
    for name, path in first.packages.items():
        assert path.read_bytes() == second.packages[name].read_bytes(), name


def test_python_bytecode_is_the_same_twice(build: Build) -> None:
    first, second = (build(TREE / "lang-python/six") for _ in range(2))
    assert first.package.read_bytes() == second.package.read_bytes()


def test_numbered_folders_share_one_build(
    build: Build, modes: Callable[[Path], dict[str, str]]
) -> None:
    built = build(TREE / "app-network/finger")
    assert built.status == 0, built.log
    names = {name.split("_")[0]: path for name, path in built.packages.items()}
    assert set(names) - {"finger-dbg", "fingerd-dbg"} == {"finger", "fingerd"}
    # The second one only installs what the first one has built.
    assert "/usr/bin/finger" in modes(names["finger"])
    assert {path for path in modes(names["fingerd"]) if path.startswith("/usr/bin/")} == {
        "/usr/bin/",
        "/usr/bin/fingerd",
    }
