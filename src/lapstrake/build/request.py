"""What a user asks of a build."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.errors import ToolchainError, UsageError
from lapstrake.names import Arch, BranchName

CROSS_PROFILES = ("cross", "nocheck")
"""Debian's build profiles of every build for another machine, whose programs do not run here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One bundle on one branch, and how.

    Attributes:
        bundle: a path, a name in a tree, or ``apt:NAME[=VERSION]``.
        branch: the branch.
        cwd: what a relative path is relative to.
        refresh: look for upgrades first; ``None`` as the configuration says.
        offline: use only what is in the download cache.
        network: let the build reach the network, whatever the bundle says.
        kind: which binary packages of a Debian source.
        profiles: build profiles of a Debian source.
        check: build a second time and compare the bytes.
        keep: keep the workspace, also of a build that went well.
        shell_on_fail: open a shell in the workspace of a failed build.
        publish: put the packages into the branch's repository.
        remains: a file that gets the build folder of a build that fails, as a ``.tar.gz``; ``None``
            for none.
        results: a folder that gets all files that were made, packages too; ``None`` for none.
        target: the architecture to build for by cross-compiling; ``None`` for the root's own.
        toolchain: what cross-compiles: a folder, or a package of the project in `cwd`; empty for
            Debian's cross compilers.
    """

    bundle: str
    branch: BranchName
    cwd: Path
    refresh: bool | None = None
    offline: bool = False
    network: bool = False
    kind: BuildKind = BuildKind.FULL
    profiles: tuple[str, ...] = ()
    check: bool = False
    keep: bool = False
    shell_on_fail: bool = False
    publish: bool = True
    remains: Path | None = None
    results: Path | None = None
    target: Arch | None = None
    toolchain: str = ""


def settled(request: BuildRequest, own: Arch) -> BuildRequest:
    """The request with all that its target implies; doing it twice changes nothing.

    Args:
        request: what the user asks.
        own: the architecture of the roots. Building for that is no cross-compiling.

    Raises:
        UsageError: it asks for packages of all architectures alone, which have no target; or for a
            toolchain without one.
    """
    if request.target in (None, own):
        if request.toolchain:
            raise UsageError(
                "a toolchain cross-compiles, and there is no target",
                resolution=f"Give --target too, and another one than {own}.",
            )
        return replace(request, target=None)
    if request.kind is BuildKind.ALL:
        raise UsageError(
            "packages for all architectures have no target",
            resolution="Give -A without --target.",
        )
    profiles = tuple(dict.fromkeys((*CROSS_PROFILES, *request.profiles)))
    return replace(request, kind=BuildKind.ANY, profiles=profiles)


def parse_target(text: str) -> Arch:
    """Read the name of a machine: Debian's (``arm64``), or a tuple (``aarch64-linux-gnu``).

    Raises:
        UsageError: Debian has no such machine.

    >>> parse_target("aarch64-unknown-linux-gnu")
    <Arch.ARM64: 'arm64'>
    """
    from lapstrake.toolchain.targets import parse_target as read_target  # for cross builds only

    known = ", ".join(f"{arch} ({read_target(arch).multiarch})" for arch in Arch)
    try:
        arch = read_target(text).debian
    except ToolchainError:
        arch = None
    if arch is None:
        raise UsageError(f"Debian has no packages for {text!r}", resolution=f"Use one of {known}.")
    return arch
