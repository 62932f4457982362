"""Check a repository as apt would, and further: every file's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lapstrake.errors import LapstrakeError, PublishError
from lapstrake.formats.aptindex import parse_release
from lapstrake.host.process import require_program, run
from lapstrake.repository.generation import load_generation
from lapstrake.repository.shelf import file_sum


def check_repository(folder: Path) -> tuple[str, ...]:
    """Check a repository's signatures, index files and packages; the caller holds its lock.

    Returns:
        a line for each thing that is wrong; a repository without an index has nothing to check.
    """
    if not (folder / "InRelease").exists():
        return ()
    return (*_signatures(folder), *_index_files(folder), *_packages(folder))


def _signatures(folder: Path) -> Iterator[str]:
    gpgv = require_program("gpgv", package="gpgv", error=PublishError)
    keyring = (folder / "key.gpg").absolute()
    for files in (("InRelease",), ("Release.gpg", "Release")):
        try:
            run(
                [gpgv, "--quiet", "--keyring", keyring, *(folder / name for name in files)],
                timeout=60,
                error=PublishError,
                doing=f"checking {files[0]}",
            )
        except PublishError as wrong:
            yield str(wrong)


def _index_files(folder: Path) -> Iterator[str]:
    inline = (folder / "InRelease").read_bytes()
    try:
        if parse_release((folder / "Release").read_bytes()) != parse_release(inline):
            yield "Release: is not what InRelease says"
    except FileNotFoundError:
        yield "Release: is missing"
    for name, (digits, size) in parse_release(inline).items():
        for path in (folder / name, folder / "by-hash" / "SHA256" / digits):
            yield from _file(path, size, digits, str(path.relative_to(folder)))


def _packages(folder: Path) -> Iterator[str]:
    try:
        entries = load_generation(folder).entries
    except LapstrakeError as wrong:
        yield str(wrong)
        return
    names = set()
    for entry in entries:
        names.add(entry.name)
        plain, named = folder / entry.name, folder / entry.location
        yield from _file(named, entry.size, entry.sha256, entry.location)
        if plain.exists() and named.exists() and plain.samefile(named):
            continue
        yield from _file(plain, entry.size, entry.sha256, entry.name)
    for path in sorted(folder.glob("*.deb")):
        if path.name not in names:
            yield f"{path.name}: is not in the index"


def _file(path: Path, size: int, digits: str, shown: str) -> Iterator[str]:
    try:
        found = path.stat().st_size
        if found != size:
            yield f"{shown}: has {found} bytes, the index says {size}"
        elif (actual := file_sum(path)) != digits:
            yield f"{shown}: has sha256 {actual}, the index says {digits}"
    except OSError as refused:
        yield f"{shown}: {refused.strerror}"
