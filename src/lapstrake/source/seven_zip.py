"""Read 7z archives with the program 7z: listed and judged first, then extracted to one side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lapstrake.errors import UnpackError
from lapstrake.formats.archive_entry import ArchiveDamaged, ArchiveEntry
from lapstrake.host.process import Completed, require_program, run
from lapstrake.source.archive_tree import ArchiveTree, RefusedEntry
from lapstrake.source.readers import read_folder

_TIMEOUT = 3600.0
_SEPARATOR = "----------\n"


def read_seven_zip(archive: Path, *, scratch: Path, limit: int) -> Iterator[ArchiveEntry]:
    """Give the entries of a 7z archive.

    Args:
        archive: the file.
        scratch: a path for the folder that the program extracts to; must not exist.
        limit: bytes that the program may write there.

    Raises:
        UnpackError: the program is missing.
        RefusedEntry: an entry reaches outside, or the content is too large.
        ArchiveDamaged: the program says so, or it is encrypted.
    """
    program = require_program("7z", package="7zip", error=UnpackError)
    _judge(_call([program, "l", "-slt", "-sccUTF-8", "-p-", "--", archive]).text, limit)
    scratch.mkdir(mode=0o700)
    _call([program, "x", "-y", "-bd", "-p-", f"-o{scratch}", "--", archive])
    yield from read_folder(scratch)


def _judge(listing: str, limit: int) -> None:
    """Check all names, links and sizes before the program writes anything."""
    _, _, entries = listing.partition(_SEPARATOR)
    tree, total = ArchiveTree(), 0
    for paragraph in entries.strip().split("\n\n"):
        fields = dict(line.partition(" = ")[::2] for line in paragraph.splitlines())
        name, attributes = fields.get("Path", ""), fields.get("Attributes", "")
        if not name:
            continue
        if fields.get("Encrypted") == "+":
            raise ArchiveDamaged(f"the entry {name!r} is encrypted")
        try:
            if attributes.startswith("D"):
                tree.folder(name)
            elif " l" in attributes:
                tree.symlink(name, "unknown until extracted")
            else:
                tree.file(name)
        except RefusedEntry as refused:
            raise RefusedEntry(f"entry {name!r}: {refused}") from refused
        size = fields.get("Size", "")
        total += int(size) if size.isdigit() else 0
    if total > limit:
        raise RefusedEntry(f"the archive's content is {total} bytes, more than {limit} allowed")


def _call(argv: list[str | Path]) -> Completed:
    """Run 7z; whatever it says against the archive is the archive's fault."""
    done = run(argv, timeout=_TIMEOUT, error=UnpackError, allowed=range(256))
    if done.status != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        if "Wrong password" in said or "encrypted" in said:
            raise ArchiveDamaged("it is encrypted")
        raise ArchiveDamaged(said[-2000:])
    return done
