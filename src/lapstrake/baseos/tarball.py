"""A base OS from a file: a tarball of any common compression, or a squashfs image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lapstrake.baseos.changeset import Member, parse_listing
from lapstrake.errors import BaseError
from lapstrake.host import owned
from lapstrake.host.process import require_program, run

_MAGIC = {
    b"hsqs": "squashfs",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
}
_LIST_SECONDS = 3600
_BLOCK = 512
_END_BYTES = 2 * _BLOCK
_PROGRAMS = {"xz": ("xz", "xz-utils"), "zstd": ("zstd", "zstd"), "bzip2": ("bzip2", "bzip2")}


def unpack_root(archive: Path, target: Path, *, name: str = "") -> None:
    """Unpack a root at `target` (which does not exist yet), whatever the archive's kind.

    Owners, modes, extended attributes, file capabilities, hard links and devices survive; a
    rootless store has no devices of its own and leaves them out.

    Args:
        archive: the file.
        target: where; it does not exist yet.
        name: what it is called in messages; its file's name when empty.

    Raises:
        BaseError: the archive is damaged or of an unknown kind, or holds no root.
    """
    kind = archive_kind(archive, name=name)
    if kind == "squashfs":
        _extract_squashfs(archive, target)
    else:
        if kind in _PROGRAMS:
            program, package = _PROGRAMS[kind]
            require_program(program, package=package, error=BaseError)
        extract_tar(archive, target)
    check_root(target, name or archive.name)


def archive_kind(archive: Path, *, name: str = "") -> str:
    """Tell a file's kind by its first bytes: tar, gzip, xz, zstd, bzip2 or squashfs.

    Raises:
        BaseError: it is none of them, or cannot be read.
    """
    try:
        with archive.open("rb") as file:
            head = file.read(262 + 5)
    except OSError as refused:
        raise BaseError(f"{archive} cannot be read: {refused.strerror}") from refused
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    raise BaseError(
        f"{name or archive} is no archive of a base OS",
        resolution="Give a .tar (plain, .gz, .xz, .zst or .bz2) or a squashfs image.",
    )


def extract_tar(archive: Path, target: Path, *, whiteouts: bool = False) -> None:
    """Unpack a tarball with everything a root needs, below `target`; made when missing.

    Args:
        archive: the tarball.
        target: the folder.
        whiteouts: leave out the marks of deletion of OCI layers (``.wh.*``).
    """
    if archive_kind(archive) == "tar":
        _require_end(archive)
    target.mkdir(exist_ok=True)
    rootless = os.geteuid() != 0
    options = ["--exclude=./dev/*", "--exclude=dev/*"] if rootless else []
    if whiteouts:
        options.append("--exclude=.wh.*")
    owned.run_owned(
        ["tar", "--extract", f"--file={archive}", f"--directory={target}", "--numeric-owner",
         "--same-owner", "--preserve-permissions", "--xattrs", "--xattrs-include=*", "--acls",
         "--delay-directory-restore", *options],
        doing=f"unpacking {archive.name}",
        error=BaseError,
    )  # fmt: skip


def list_members(archive: Path) -> Iterator[Member]:
    """What a tarball's members are, in order, told by the very program that will unpack them.

    Another reader could be made to see other members than tar.

    Raises:
        BaseError: the archive is damaged.
    """
    done = run(
        ["tar", "--list", "--verbose", "--absolute-names", "--numeric-owner",
         "--quoting-style=c", f"--file={archive}"],
        timeout=_LIST_SECONDS,
        error=BaseError,
        doing=f"listing {archive.name}",
    )  # fmt: skip
    return parse_listing(done.stdout)


def _require_end(archive: Path) -> None:
    """Tell a tarball that was cut between two members, which tar takes for a whole one.

    Compressed ones need no such look: their formats know where they end.
    """
    with archive.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _END_BYTES, 0))
        ended = not any(file.read())
    if size % _BLOCK or not ended:
        raise BaseError(
            f"{archive.name} is cut off: a tarball ends in two empty blocks",
            resolution="Get the file again.",
        )


def _extract_squashfs(archive: Path, target: Path) -> None:
    """Unpack a squashfs image; devices are refused to the rootless and left out."""
    program = require_program("unsquashfs", package="squashfs-tools", error=BaseError)
    ignore = ["-ignore-errors"] if os.geteuid() != 0 else []
    owned.run_owned(
        [program, "-no-progress", "-quiet", *ignore, "-xattrs", "-dest", target, archive],
        doing=f"unpacking {archive.name}",
        error=BaseError,
    )


def check_root(tree: Path, name: str) -> None:
    """Make sure that a tree is a root: it has ``usr`` and a package manager's shell.

    Raises:
        BaseError: it is not.
    """
    present = [part for part in ("usr", "etc", "var") if (tree / part).is_dir()]
    if len(present) < 3:
        raise BaseError(
            f"{name} holds no root: usr, etc or var is missing at its top",
            resolution="Pack the root itself, not a folder that holds it.",
        )
