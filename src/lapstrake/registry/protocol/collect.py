"""Blobs that nothing needs any more.

A blob stays as long as any document mentions its digest, or a manifest does that stays itself. What
refers to the manifest of a made image stays as long as that one. What else there is goes once it is
older than a time in which somebody may still be about to need it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lapstrake.blobs.addresses import parse_digest
from lapstrake.blobs.base import BlobStore
from lapstrake.host.files import remove_tree
from lapstrake.names import Digest
from lapstrake.registry.base import MANIFEST_LIMIT
from lapstrake.registry.protocol.manifests import media_type_of
from lapstrake.registry.protocol.repositories import Repository, collecting, pushed_names

_REFERRERS = "referrers/"
_MENTION = re.compile(r"\b(sha256|sha512)[:-]([0-9a-f]{64,128})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection removed, or would.

    Attributes:
        blobs: their digests, sorted.
        size: their bytes.
        links: blobs that repositories showed though no manifest of theirs names them.
        leftovers: unfinished uploads and other work that nobody goes on with.
    """

    blobs: tuple[Digest, ...]
    size: int
    links: int
    leftovers: int


def collect_blobs(blobs: BlobStore, *, grace: float, dry_run: bool = False) -> Collected:
    """Remove what nothing needs.

    Args:
        blobs: the store.
        grace: seconds; what is younger stays.
        dry_run: only tell.

    Raises:
        StoreError: the storage failed; what was removed so far was not needed.
    """
    with collecting(blobs, collects=True):
        return _collect(blobs, time.time() - grace, dry_run=dry_run)


def _collect(blobs: BlobStore, latest: float, *, dry_run: bool) -> Collected:
    stale = {name: tuple(_stale_links(blobs, name, latest)) for name in _repositories(blobs)}
    if not dry_run:
        for name, digests in stale.items():
            for digest in digests:
                Repository(blobs, name).unlink(digest)
    ignored = frozenset(
        f"pushed/{name}/_blobs/{digest.algorithm}-{digest.hex}"
        for name, digests in stale.items()
        for digest in digests
    )
    referring = _referring(blobs)
    needed = _needed(blobs, ignored, referring)
    if not dry_run:
        _forget_referrers(blobs, set(referring) - needed, latest)
    gone, size = [], 0
    for digest in sorted(set(blobs.digests()) - needed):
        added = blobs.added(digest)
        if added is None or added > latest:
            continue
        size += blobs.find(digest) or 0
        gone.append(digest)
        if not dry_run:
            blobs.remove(digest)
    return Collected(
        blobs=tuple(gone),
        size=size,
        links=sum(map(len, stale.values())),
        leftovers=_leftovers(blobs, latest, dry_run=dry_run),
    )


def _referring(blobs: BlobStore) -> dict[Digest, list[Digest]]:
    """What refers to manifests of made images, by these."""
    found: dict[Digest, list[Digest]] = {}
    for name in blobs.names(_REFERRERS):
        subject, *rest = _mentions(name)
        found.setdefault(subject, []).extend(rest)
    return found


def _forget_referrers(blobs: BlobStore, subjects: set[Digest], latest: float) -> None:
    """Forget what refers to manifests that nothing needs; a young one may be an image in making."""
    for subject in subjects:
        added = blobs.added(subject)
        if added is None or added <= latest:
            for name in tuple(blobs.names(f"{_REFERRERS}{subject.algorithm}-{subject.hex}/")):
                blobs.delete(name)


def _needed(
    blobs: BlobStore, ignored: frozenset[str], referring: Mapping[Digest, Sequence[Digest]]
) -> set[Digest]:
    """All that documents mention, and what those mention that are manifests."""
    needed: set[Digest] = set()
    waiting: list[Digest] = []
    for name in blobs.names(""):
        if name not in ignored and not name.startswith(_REFERRERS):
            text = (blobs.document(name) or b"").decode("utf-8", "replace")
            waiting += _mentions(f"{name}\n{text}")
    while waiting:
        digest = waiting.pop()
        size = None if digest in needed else blobs.find(digest)
        if size is None:
            continue
        needed.add(digest)
        waiting += referring.get(digest, ())
        if size <= MANIFEST_LIMIT:
            data = b"".join(blobs.read(digest))
            if media_type_of(data):
                waiting += _mentions(data.decode("utf-8", "replace"))
    return needed


def _mentions(text: str) -> Iterator[Digest]:
    for algorithm, digits in _MENTION.findall(text):
        digest = parse_digest(f"{algorithm}:{digits}")
        if digest is not None:
            yield digest


def _repositories(blobs: BlobStore) -> set[str]:
    """Those without a manifest, too."""
    folders = (name.partition("/_blobs/") for name in blobs.names("pushed/"))
    named = {before.removeprefix("pushed/") for before, found, _ in folders if found}
    return named | set(pushed_names(blobs))


def _stale_links(blobs: BlobStore, name: str, latest: float) -> Iterator[Digest]:
    """Blobs that were pushed for a manifest that never came, or is gone."""
    repository = Repository(blobs, name)
    named: set[Digest] = set()
    for digest in repository.manifests():
        named.update(_mentions(b"".join(blobs.read(digest)).decode("utf-8", "replace")))
    for digest, linked in repository.linked():
        if digest not in named and linked <= latest:
            yield digest


def _leftovers(blobs: BlobStore, latest: float, *, dry_run: bool) -> int:
    """What killed processes and clients that never came back left in the scratch folder."""
    count = 0
    for path in blobs.scratch.iterdir():
        with suppress(FileNotFoundError):  # finished meanwhile
            if path.lstat().st_mtime <= latest:
                count += 1
                if not dry_run:
                    remove_tree(path)
    return count
