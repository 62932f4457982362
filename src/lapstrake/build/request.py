"""What a user asks of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.names import BranchName


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
