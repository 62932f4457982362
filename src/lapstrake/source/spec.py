"""What a bundle fetches, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lapstrake.names import Digest


class SourceKind(StrEnum):
    """How a source is fetched."""

    ARCHIVE = "archive"  # fetched, verified, unpacked
    FILE = "file"  # fetched, verified, left as it is
    GIT = "git"
    SVN = "svn"
    HG = "hg"
    BZR = "bzr"
    FOSSIL = "fossil"
    PYPI = "pypi"  # an archive found through the simple index
    NPM = "npm"  # an archive found through the registry's metadata


VERSION_CONTROL = frozenset(
    {SourceKind.GIT, SourceKind.SVN, SourceKind.HG, SourceKind.BZR, SourceKind.FOSSIL}
)
"""The kinds pinned by a revision; a checksum of the checkout is optional for them."""


class Submodules(StrEnum):
    """What a git checkout does with submodules."""

    NONE = "false"
    DIRECT = "true"
    RECURSIVE = "recursive"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """One source of a bundle, pinned.

    Attributes:
        kind: how it is fetched.
        url: where; for `PYPI` and `NPM` the package's name on the index.
        name: what it is called in the workspace: a file's name, or a checkout's directory.
        digest: what the bytes must be; ``None`` only for version control.
        revision: commit, tag or revision; for `PYPI` and `NPM` the version.
        branch: the branch that holds the revision, where a server needs to know.
        submodules: for git.
        keep_repository: leave the checkout's ``.git`` in place (AOSC's ``copy-repo=true``).
        origin: where it was said, for messages: ``spec:3``.
        path: the folder below the unpacked sources to put it in, empty for the top.
    """

    kind: SourceKind
    url: str
    name: str
    digest: Digest | None = None
    revision: str = ""
    branch: str = ""
    submodules: Submodules = Submodules.RECURSIVE
    keep_repository: bool = False
    origin: str = ""
    path: str = ""

    @property
    def is_checkout(self) -> bool:
        """Whether it comes from version control."""
        return self.kind in VERSION_CONTROL
