"""What the folder of artifacts holds, while others put and remove some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lapstrake.artifact.identity import CHECKSUM
from lapstrake.artifact.keeping.entries import Entry, read_checksum, read_record, split_name
from lapstrake.artifact.keeping.layout import OURS, CacheLayout
from lapstrake.host.files import TEMPORARY


def kept_in(layout: CacheLayout) -> Iterator[Entry]:
    """All artifacts that are kept, by name; those that somebody removes meanwhile are left out."""
    try:
        names = sorted(each.name for each in layout.root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        if not name.startswith((OURS, TEMPORARY)):
            with suppress(FileNotFoundError):
                yield from _entries(layout, name)


def tree_bytes(tree: Path) -> int:
    """Bytes on disk of what is at a path; a link's are none."""
    from lapstrake.host.supervise import tree_size  # slow to import

    return 0 if tree.is_symlink() else tree_size(tree)


def _entries(layout: CacheLayout, name: str) -> Iterator[Entry]:
    """What has this name, if that is an artifact."""
    path, record = layout.artifact(name), read_record(layout.record(name))
    link = path.readlink() if path.is_symlink() else None
    checksum = read_checksum(path)
    if link is None and not checksum:
        return
    package, host, version, _ = split_name(name)
    if record is not None:
        said = record.identity
        package, host, version = said.package, said.host, said.version
    yield Entry(
        name=name,
        path=path,
        package=package,
        host=host,
        version=version,
        checksum=checksum,
        size=record.size if record and link is None else tree_bytes(path),
        used=_last_used(path, path / CHECKSUM if record is None else layout.record(name)),
        link=link,
        foreign=record is None,
        lost=link is not None and not checksum,
    )


def _last_used(path: Path, marker: Path) -> float:
    """A marker's time, else that of what it stands for; seconds since 1970."""
    try:
        return marker.stat().st_mtime
    except OSError:
        return path.lstat().st_mtime
