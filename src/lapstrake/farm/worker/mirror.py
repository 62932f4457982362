"""A copy of a branch's signed repository on a worker, for the builds that need what it holds.

The server's signature stays with it: a worker has no key. New files come first, then the index by
its sum, then ``InRelease``, so that builds that go on meanwhile see the old state or the new one;
what went stays for one more round.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from lapstrake.errors import FarmError
from lapstrake.farm.client.answer import read, write
from lapstrake.farm.contents.shelves import ShelfFile, ShelfState
from lapstrake.farm.problems import Unknown
from lapstrake.farm.worker.link import Link
from lapstrake.host.files import link_atomic, write_atomic
from lapstrake.host.locks import locked
from lapstrake.progress import Progress
from lapstrake.repository.generation import PRIVATE
from lapstrake.source.archive_tree import RefusedEntry, safe_parts

_HELD = "mirror.json"
_LAST = ("Packages.xz", "Packages.gz", "Packages", "Release.gpg", "Release", "InRelease")
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A state that was copied, and what the server calls it (``ETag``)."""

    mark: str = ""
    state: ShelfState = field(default_factory=lambda: ShelfState(digest=""))


def mirror_repository(
    link: Link, branch: str, folder: Path, arches: Collection[str], progress: Progress
) -> None:
    """Bring a copy up to date.

    Args:
        link: to the server.
        branch: the branch.
        folder: the copy; made when missing.
        arches: packages of these are wanted, and those for all.
        progress: hears of it when another build is at it.

    Raises:
        FarmError: the server's repository changes faster than it can be copied, or names files
            that no repository has.
    """
    private = folder / PRIVATE
    private.mkdir(parents=True, exist_ok=True)
    path = f"/api/v1/branches/{quote(branch, safe='')}/repository"
    with locked(private / "lock", what=f"the copy of {branch}", on_wait=progress.headline):
        for _ in range(_TRIES):
            held = _held(folder)
            asked = _ask(link, f"{path}?arch={','.join(sorted(arches))}", held)
            if _follow(link, asked, held, folder):
                return
    raise FarmError(
        f"the repository of {branch} changes faster than it can be copied",
        resolution="Retry the task.",
    )


def _ask(link: Link, path: str, held: _Held) -> _Held:
    """What the server has; it does not tell all of it again."""
    known = {"If-None-Match": held.mark} if held.mark else {}
    answer = link.connection.call("GET", path, headers=known, allowed=(304,))
    if answer.status_code == 304:
        return held
    return _Held(mark=answer.headers.get("etag", ""), state=read(ShelfState, answer.content))


def _follow(link: Link, asked: _Held, held: _Held, folder: Path) -> bool:
    """Fetch what is new, drop what is old; says whether the server still had everything."""
    wanted = {file.name: file for file in sorted(asked.state.files, key=_turn)}
    for name in wanted:
        _check_name(name)
    before = {file.name: file.digest for file in held.state.files}
    here: dict[str, Path] = {}
    for name, file in wanted.items():
        path = folder / name
        if before.get(name) != file.digest or not _is_whole(path, file):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _have(link, file, path, here.get(file.digest))
            except Unknown:  # replaced since the server told us
                return False
        here[file.digest] = path
    if asked != held:
        write_atomic(folder / PRIVATE / _HELD, write(asked), durable=False)
        _drop(folder, keep={*wanted, *before})
    return True


def _have(link: Link, file: ShelfFile, path: Path, same: Path | None) -> None:
    """Fetch a file, unless the copy has its bytes under another name."""
    if same is not None:
        link_atomic(same, path)
    else:
        link.fetch(file.digest, path, size=file.size)


def _held(folder: Path) -> _Held:
    """What the copy was made of the last time; nothing where that cannot be told."""
    try:
        return read(_Held, (folder / PRIVATE / _HELD).read_bytes())
    except (OSError, FarmError):
        return _Held()


def _is_whole(path: Path, file: ShelfFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size


def _turn(file: ShelfFile) -> int:
    """Packages first, the index's names afterwards, ``InRelease`` last of all."""
    return _LAST.index(file.name) + 1 if file.name in _LAST else 0


def _drop(folder: Path, *, keep: set[str]) -> None:
    """Remove files that neither the last state nor this one has."""
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith(f"{PRIVATE}/") and name not in keep:
            path.unlink(missing_ok=True)


def _check_name(name: str) -> None:
    try:
        parts = safe_parts(name)
    except RefusedEntry:
        parts = ()
    if not parts or any(part.startswith(".") for part in parts):
        raise FarmError(f"the server names a file {name!r}, which no repository has")
