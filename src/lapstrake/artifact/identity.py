"""What an artifact is called: its name, and the name of its archive (byte for byte as Nerves')."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake.artifact.base import Package, PackageType
from lapstrake.errors import ArtifactError

CHECKSUM = "CHECKSUM"
"""The file in an artifact that holds the checksum of its inputs."""
PORTABLE = "portable"
"""The host tuple of what runs on no host: a system."""
SHORT = 7
"""Digits of the checksum in an archive's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One artifact: a package at a version, for a host, made from certain inputs.

    Attributes:
        package: the package's name.
        host: the host tuple, ``linux_x86_64`` or `PORTABLE`.
        version: the package's version.
        checksum: SHA-256 of its inputs, 64 digits in upper case; see `inputs.checksum`.
        suffix: how its archive ends.
    """

    package: str
    host: str
    version: str
    checksum: str
    suffix: str

    @property
    def name(self) -> str:
        """``PACKAGE-HOST-VERSION``, as folders of artifacts are called."""
        return f"{self.package}-{self.host}-{self.version}"

    @property
    def download_name(self) -> str:
        """The name with the beginning of the checksum: one per input."""
        return f"{self.name}-{self.checksum[:SHORT]}"

    @property
    def file_name(self) -> str:
        """The archive's name."""
        return self.download_name + self.suffix


def identify(package: Package, checksum: str, environment: Mapping[str, str]) -> Identity:
    """Name a package's artifact.

    Args:
        package: the package.
        checksum: of its inputs.
        environment: ``HOST_OS`` and ``HOST_ARCH`` in it say what this host is.

    Raises:
        ArtifactError: ``HOST_OS`` names no system.
    """
    toolchain = package.type is PackageType.TOOLCHAIN
    system = package.type is PackageType.SYSTEM
    return Identity(
        package=package.name,
        host=PORTABLE if system else host_tuple(environment),
        version=package.version,
        checksum=checksum,
        suffix=".tar.xz" if toolchain else ".tar.gz",
    )


def host_tuple(environment: Mapping[str, str]) -> str:
    """``linux_x86_64`` and the like; ``darwin_arm`` for Apple's own, as Nerves has it."""
    system = environment.get("HOST_OS") or sys.platform
    if system.startswith("win"):
        system = "win"
    elif system.startswith("darwin"):
        system = "darwin"
    elif not system.startswith("linux"):
        raise ArtifactError(
            f"{system!r} is no host that artifacts are made for",
            resolution="Set HOST_OS to linux, darwin or win.",
        )
    else:
        system = "linux"
    machine = environment.get("HOST_ARCH") or _machine(os.uname().machine)
    return "darwin_arm" if (system, machine) == ("darwin", "aarch64") else f"{system}_{machine}"


def _machine(name: str) -> str:
    if name == "arm64":
        return "aarch64"
    return "arm" if name.startswith("arm") else name


_TAKEN = frozenset({
    "PATH", "HOME", "SHELL", "USER", "LOGNAME", "PWD", "OLDPWD", "TERM", "LANG", "LANGUAGE", "TZ",
    "TMPDIR", "EDITOR", "VISUAL", "PAGER", "BROWSER", "DISPLAY", "HOSTNAME", "MAIL", "MANPATH",
    "NERVES_SYSTEM", "NERVES_TOOLCHAIN", "NERVES_APP", "NERVES_DL_DIR", "NERVES_ARTIFACTS_DIR",
    "MAKE", "CC", "CXX", "CPP", "LD", "AR", "AS", "NM", "STRIP", "OBJCOPY", "OBJDUMP", "RANLIB",
})  # fmt: skip
"""Variables that mean something else to everybody: a tool called ``path`` has another one."""
_FAMILIES = re.compile(
    r"(XDG|SSH|GPG|DBUS|AWS|AZURE|GOOGLE|GITHUB|GITLAB|GITEA|CI|DOCKER|VAULT|GIT|LAPSTRAKE)_.*"
    r"|.*(TOKEN|KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS|COOKIE|KUBECONFIG|HOME)"
)
"""Variables with secrets, or with folders that have some: no package is to see those as its own
artifact, which builds are shown, because of how it is called."""


def override_variable(package: Package) -> str:
    """The variable that names a folder, or an archive, to be used instead of any artifact.

    ``NERVES_SYSTEM``, ``NERVES_TOOLCHAIN``; of other packages the name in upper case, with
    ``NERVES_`` before it where that is the name of a well-known variable, or looks like a secret.
    """
    named = {PackageType.SYSTEM: "NERVES_SYSTEM", PackageType.TOOLCHAIN: "NERVES_TOOLCHAIN"}
    own = package.name.upper().replace("-", "_")
    taken = own in _TAKEN or _FAMILIES.fullmatch(own)
    return named.get(package.type) or (f"NERVES_{own}" if taken else own)
