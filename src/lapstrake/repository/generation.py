"""One generation of a repository's index on the disk, and the switch from one to the next.

apt fetches ``InRelease``, then the index that it names *by its sum* (``by-hash/SHA256/...``). So a
generation's files are written under their sums first, and the rename of ``InRelease`` is the
switch: a reader has the old generation or the new one. The files of the last generations stay for
readers that fetched ``InRelease`` just before. ``Packages``, ``Release`` and so on are for readers
without by-hash; a kill may leave them a generation ahead, and the next publication repairs them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from lapstrake.errors import PublishError
from lapstrake.formats.aptindex import (
    IndexEntry,
    parse_index,
    parse_release,
    render_release,
    render_sections,
)
from lapstrake.formats.blockxz import Block, compress_blocks, read_blocks
from lapstrake.host.files import link_atomic, open_atomic, sync_file, sync_folder, write_atomic
from lapstrake.names import Digest
from lapstrake.repository.signing import Signed, Signer

KEPT_GENERATIONS = 4
"""How many generations' files stay at least, with the current one."""

KEPT_SECONDS = 300
"""How long a generation's files stay at least once another has followed; see `MOST_GENERATIONS`."""

MOST_GENERATIONS = 64
"""How many generations' files stay at most, when publications follow each other fast."""

PRIVATE = ".lapstrake"
"""The folder of a repository that is nobody else's business: lock, journal, caches."""

EMPTY = Digest("sha256", hashlib.sha256(b"").hexdigest())
"""The state of a repository that was never published: that of an empty index."""

_BY_HASH = Path("by-hash", "SHA256")
_PUBLIC = ("Packages", "Packages.gz", "Packages.xz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a repository calls itself in its ``Release``.

    Attributes:
        suite: the branch's name.
        origin: who makes it.
        label: what it is, for people.
    """

    suite: str
    origin: str = "Lapstrake"
    label: str = "Lapstrake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """An index as it is published.

    Attributes:
        digest: of ``Packages``.
        entries: the packages.
        seen: size and modification time (ns) of each file when its bytes were last read, by name: a
            file that still looks so is not read again.
        history: the sums and locations that each generation needs, the current one first.
        key: fingerprint of the key that signed it.
    """

    digest: Digest = EMPTY
    entries: tuple[IndexEntry, ...] = ()
    seen: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    history: tuple[tuple[str, ...], ...] = ()
    key: str = ""

    @property
    def needed(self) -> frozenset[str]:
        """The sums and locations that some kept generation needs."""
        return frozenset(need for needs in self.history for need in needs)


def current_digest(folder: Path) -> Digest:
    """Read which index is published now; costs one small file."""
    try:
        sums = parse_release((folder / "InRelease").read_bytes())
    except FileNotFoundError:
        return EMPTY
    if "Packages" not in sums:
        raise PublishError(f"{folder / 'InRelease'}: names no Packages")
    return Digest("sha256", sums["Packages"][0])


def load_generation(folder: Path) -> Generation:
    """Read the published generation; safe beside a publisher.

    Raises:
        PublishError: its index is missing or damaged.
    """
    for _ in range(10):
        digest = current_digest(folder)
        if digest == EMPTY and not (folder / "InRelease").exists():
            return Generation()
        try:
            data = (folder / _BY_HASH / digest.hex).read_bytes()
        except FileNotFoundError:
            continue  # generations went by since we read InRelease; or it is really missing
        if hashlib.sha256(data).hexdigest() != digest.hex:
            raise PublishError(f"{folder / _BY_HASH / digest.hex}: is damaged")
        entries = parse_index(data)
        cache = _load_cache(folder, digest)
        return Generation(
            digest=digest,
            entries=entries,
            seen={name: (size, time) for name, (size, time) in cache.get("seen", {}).items()},
            history=tuple(tuple(needs) for needs in cache.get("history", ()))
            or (_needs(_public_sums(folder), entries),),
            key=str(cache.get("key", "")),
        )
    raise PublishError(f"{folder}: InRelease names an index that is missing: {digest}")


def write_generation(
    folder: Path,
    *,
    entries: Sequence[IndexEntry],
    seen: Mapping[str, tuple[int, int]],
    before: Generation,
    names: Names,
    signer: Signer,
) -> Generation:
    """Publish an index in one step; the caller holds the repository's lock.

    Args:
        folder: the repository.
        entries: the packages; their files are in place and flushed.
        seen: see `Generation`.
        before: the published generation.
        names: what it is called.
        signer: whose key signs.
    """
    files = _index_files(folder, before, render_sections(entries))
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    release = render_release(
        origin=names.origin,
        label=f"{names.label} {names.suite}",
        suite=names.suite,
        date=datetime.now(UTC),
        files={name: (sums[name], len(data)) for name, data in files.items()},
    )
    digest = Digest("sha256", sums["Packages"])
    older = before.history[1:] if before.digest == digest else before.history
    after = Generation(
        digest=digest,
        entries=tuple(entries),
        seen=seen,
        history=_recent(folder, (_needs(sums.values(), entries), *older)),
        key=signer.fingerprint,
    )
    signed = signer.sign(release)  # before any public name changes: it may fail
    _write_files(folder, files, sums)
    save_cache(folder, after)
    _switch(folder, release, signed)
    return after


def is_whole(folder: Path, generation: Generation) -> bool:
    """Whether the public files are all there as the published generation says (by size)."""
    try:
        inline = (folder / "InRelease").read_bytes()
        if (folder / "Release").read_bytes() not in inline:
            return False
        (folder / "Release.gpg").stat()
        for name, (digits, size) in parse_release(inline).items():
            public, hashed = (folder / name).stat(), (folder / _BY_HASH / digits).stat()
            if not public.st_size == hashed.st_size == size or public.st_ino != hashed.st_ino:
                return False
    except FileNotFoundError:
        return False
    return generation.digest.hex in inline.decode("utf-8", "replace")


def drop_old(folder: Path, generation: Generation) -> None:
    """Remove the index files and caches that no kept generation needs."""
    needed = generation.needed
    for file in (folder / _BY_HASH).iterdir():
        if file.name not in needed:
            file.unlink()
    for file in (folder / PRIVATE).glob("cache-*.json"):
        if file.name != _cache_name(generation.digest.hex):
            file.unlink()


def _index_files(folder: Path, before: Generation, sections: Sequence[bytes]) -> dict[str, bytes]:
    """Make the index's three files; what did not change since `before` is not compressed again."""
    index = b"".join(sections)
    xz = compress_blocks(sections, _known_blocks(folder, before))
    return dict(zip(_PUBLIC, (index, gzip.compress(index, 3, mtime=0), xz), strict=True))


def _known_blocks(folder: Path, before: Generation) -> dict[bytes, Block]:
    if not before.history:
        return {}
    try:
        digits, _, xz_digits = before.history[0][: len(_PUBLIC)]
        text = (folder / _BY_HASH / digits).read_bytes()
        packed = (folder / _BY_HASH / xz_digits).read_bytes()
    except (FileNotFoundError, ValueError):
        return {}
    if hashlib.sha256(packed).hexdigest() != xz_digits:
        return {}
    return read_blocks(packed, text)


def _write_files(folder: Path, files: Mapping[str, bytes], sums: Mapping[str, str]) -> None:
    (folder / _BY_HASH).mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        _write_by_hash(folder, sums[name], data)
    sync_folder(folder / _BY_HASH)
    for name in _PUBLIC:
        link_atomic(folder / _BY_HASH / sums[name], folder / name)


def _switch(folder: Path, release: bytes, signed: Signed) -> None:
    write_atomic(folder / "Release", release, durable=False)
    write_atomic(folder / "Release.gpg", signed.detached, durable=False)
    sync_folder(folder)  # the packages' names, before an index names them
    with open_atomic(folder / "InRelease") as file:  # its end is the switch
        file.write(signed.inline)
        file.flush()
        stamp = _next_stamp(folder)
        os.utime(file.fileno(), ns=(stamp, stamp))


def _next_stamp(folder: Path) -> int:
    """The modification time (ns) for the next ``InRelease``: a whole second after the last one.

    apt asks for what is newer than its own copy (``If-Modified-Since``, in seconds), and would miss
    the second of two publications in one second.
    """
    second = 1_000_000_000
    now = time.time_ns() // second * second
    try:
        return max(now, (folder / "InRelease").stat().st_mtime_ns // second * second + second)
    except FileNotFoundError:
        return now


def _write_by_hash(folder: Path, digits: str, data: bytes) -> None:
    path = folder / _BY_HASH / digits
    try:
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            os.utime(path)  # an index that was published before is young again
            return
    except FileNotFoundError:
        pass
    write_atomic(path, data, durable=False)
    sync_file(path)


def _needs(sums: Iterable[str], entries: Sequence[IndexEntry]) -> tuple[str, ...]:
    """What a generation needs beyond the files of plain names; the sum of Packages comes first."""
    return (*sums, *(entry.location for entry in entries if entry.location != f"./{entry.name}"))


def _recent(folder: Path, history: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The part of a history whose files stay: the last few, and those followed not long ago."""
    kept = list(history[:KEPT_GENERATIONS])
    for younger, needs in pairwise(history[KEPT_GENERATIONS - 1 : MOST_GENERATIONS]):
        try:
            followed = (folder / _BY_HASH / younger[0]).stat().st_mtime
        except (FileNotFoundError, IndexError):
            break
        if time.time() - followed > KEPT_SECONDS:
            break
        kept.append(needs)
    return tuple(kept)


def _public_sums(folder: Path) -> tuple[str, ...]:
    sums = parse_release((folder / "InRelease").read_bytes())
    return tuple(sums[name][0] for name in _PUBLIC if name in sums)


def _cache_name(digits: str) -> str:
    return f"cache-{digits}.json"


def save_cache(folder: Path, generation: Generation) -> None:
    """Keep what makes the next publication fast; it belongs to its index by the index's sum."""
    document = {
        "seen": generation.seen,
        "history": generation.history,
        "key": generation.key,
    }
    path = folder / PRIVATE / _cache_name(generation.digest.hex)
    write_atomic(path, json.dumps(document).encode(), durable=False)


def _load_cache(folder: Path, digest: Digest) -> dict[str, Any]:
    """Read what makes publishing fast; an empty one only costs reading every package again."""
    try:
        document = json.loads((folder / PRIVATE / _cache_name(digest.hex)).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
