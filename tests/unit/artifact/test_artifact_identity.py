"""What artifacts and their archives are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.artifact.base import Package, PackageType
from lapstrake.artifact.identity import host_tuple, identify, override_variable
from lapstrake.artifact.keeping.entries import split_name
from lapstrake.errors import ArtifactError

CHECKSUM = "52C611E2A2B3BCA9BFA47B738AE9ABCB9017C51DFCD0E434260E0DEC2D56DC6C"


def package(type_: PackageType, name: str = "my-pkg") -> Package:
    return Package(name=name, type=type_, version="1.2.0-rc", folder=Path("/p"))


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (PackageType.SYSTEM, "my-pkg-portable-1.2.0-rc-52C611E.tar.gz"),
        (PackageType.TOOLCHAIN, "my-pkg-darwin_arm-1.2.0-rc-52C611E.tar.xz"),
        (PackageType.PACKAGE, "my-pkg-darwin_arm-1.2.0-rc-52C611E.tar.gz"),
    ],
)
def test_names(type_: PackageType, name: str) -> None:
    environment = {"HOST_OS": "darwin21.1", "HOST_ARCH": "aarch64"}
    identity = identify(package(type_), CHECKSUM, environment)
    assert identity.file_name == name
    assert identity.download_name == name[:-7]
    assert identity.name == name[:-15]
    assert split_name(identity.download_name) == ("my-pkg", identity.host, "1.2.0-rc", "52C611E")


@pytest.mark.parametrize(
    ("system", "machine", "host"),
    [
        ("linux", "x86_64", "linux_x86_64"),
        ("linux-gnu", "aarch64", "linux_aarch64"),
        ("darwin", "x86_64", "darwin_x86_64"),
        ("win32", "x86_64", "win_x86_64"),
        ("linux", "riscv64", "linux_riscv64"),
    ],
)
def test_hosts(system: str, machine: str, host: str) -> None:
    assert host_tuple({"HOST_OS": system, "HOST_ARCH": machine}) == host


def test_this_host_is_known_and_others_are_refused() -> None:
    assert host_tuple({}) == host_tuple({"HOST_OS": "", "HOST_ARCH": ""})
    with pytest.raises(ArtifactError, match="'beos'"):
        host_tuple({"HOST_OS": "beos"})


def test_variables_that_name_an_artifact() -> None:
    assert override_variable(package(PackageType.SYSTEM)) == "NERVES_SYSTEM"
    assert override_variable(package(PackageType.TOOLCHAIN)) == "NERVES_TOOLCHAIN"
    assert override_variable(package(PackageType.PACKAGE)) == "MY_PKG"
    assert override_variable(package(PackageType.PACKAGE, "path")) == "NERVES_PATH"


@pytest.mark.parametrize("name", ["", "hello", "hello-1.0", "sys-portable", "sys-linux-1.0"])
def test_other_names_are_no_artifacts(name: str) -> None:
    assert split_name(name) == ("", "", "", "")
