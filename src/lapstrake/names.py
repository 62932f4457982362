"""Names and identities as types, so that a digest is never taken for a cache key.

All of these are values: checked once where they enter the program, trusted afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import NewType, TypeAlias

from lapstrake.errors import BundleError, LapstrakeError, UsageError

GuestPath: TypeAlias = PurePosixPath
"""A path inside a root. Paths of the host are ``pathlib.Path``; the two do not mix."""

PackageName = NewType("PackageName", str)
"""A package's name, see `package_name`."""

RESERVED_BRANCHES = frozenset({"all", "baseos"})
"""Words that ``cleanup`` already uses, so no branch can be called so."""

_BRANCH = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._+-]{0,63}\Z")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]*\Z")
_HEX64 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, order=True)
class BranchName:
    """A named line of packages; safe as a file name.

    Raises:
        UsageError: the text is not a branch name (``../x``, ``all``, the empty string ...).
    """

    text: str

    def __post_init__(self) -> None:
        if not _BRANCH.match(self.text):
            raise UsageError(
                f"{self.text!r} is not a branch name",
                resolution="Use letters, digits and . _ + - (first a letter or digit, at most 64).",
            )
        if self.text in RESERVED_BRANCHES:
            raise UsageError(
                f"{self.text!r} cannot name a branch: `cleanup {self.text}` means something else"
            )

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class CacheKey:
    """SHA-256 of the *inputs* of something; see `lapstrake.formats.keys`."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX64.match(self.hex):
            raise LapstrakeError(f"{self.hex!r} is not a cache key (64 hexadecimal digits)")

    @property
    def short(self) -> str:
        """The first 12 digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return self.hex


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A checksum of *bytes*: an algorithm's name and hexadecimal digits, lower case."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


class Arch(StrEnum):
    """Debian's architecture names (AOSC's names for the same machines map to them)."""

    AMD64 = "amd64"
    ARM64 = "arm64"
    ARMHF = "armhf"
    I386 = "i386"
    LOONG64 = "loong64"
    MIPS64EL = "mips64el"
    PPC64EL = "ppc64el"
    RISCV64 = "riscv64"
    S390X = "s390x"


def package_name(text: str) -> PackageName:
    """Check a package name (Debian policy 5.6.1, AOSC's rule is the same but for the length).

    Raises:
        BundleError: the text is not a package name.
    """
    if not _PACKAGE.match(text):
        raise BundleError(
            f"{text!r} is not a package name",
            resolution="Use lower-case letters, digits and . + -, first a letter or digit.",
        )
    return PackageName(text)
