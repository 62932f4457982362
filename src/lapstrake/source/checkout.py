"""Check out a revision from version control, as a tar that is the same for everybody.

What a name (tag, branch) stands for is asked first; the tree of an exact revision is made once and
then found in the cache. Version control's own stores, where it has them, are kept as mirrors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from lapstrake.errors import ChecksumError, FetchError, LapstrakeError
from lapstrake.source.bzr import Bazaar
from lapstrake.source.cache import Blob
from lapstrake.source.fossil import Fossil
from lapstrake.source.git import Git
from lapstrake.source.hg import Mercurial
from lapstrake.source.job import CancelledError, Fetched, Job, Stage
from lapstrake.source.repository_url import check_url
from lapstrake.source.revision import Revision
from lapstrake.source.spec import SourceKind
from lapstrake.source.svn import Subversion
from lapstrake.source.tree_tar import write_tree_tar

_REVISION = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.,/+@:%#=-]*\Z")


class VersionControl(Protocol):
    """One system of version control."""

    def is_exact(self, revision: str) -> bool:
        """Whether a revision means the same for ever, and need not be asked for."""
        ...

    def identify(self, job: Job, url: str, name: str) -> Revision:
        """Ask what a name stands for now.

        Raises:
            FetchError: it stands for nothing, or nobody answers.
        """
        ...

    def export(self, job: Job, url: str, exact: str, target: Path) -> int:
        """Write the tree of an exact revision to a folder that does not exist yet.

        Returns:
            the revision's time, seconds since 1970.
        """
        ...


SYSTEMS: Mapping[SourceKind, VersionControl] = MappingProxyType(
    {
        SourceKind.GIT: Git(),
        SourceKind.SVN: Subversion(),
        SourceKind.HG: Mercurial(),
        SourceKind.BZR: Bazaar(),
        SourceKind.FOSSIL: Fossil(),
    }
)
"""What checks out each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkout:
    """The checkout at hand: its job and its system."""

    job: Job
    system: VersionControl

    @property
    def name(self) -> str:
        """What the bundle calls the revision."""
        return self.job.spec.revision or self.job.spec.branch

    def key(self, exact: str) -> str:
        """What the tree of an exact revision is called in the cache."""
        spec = self.job.spec
        parts = f"submodules={spec.submodules} repository={spec.keep_repository}"
        return f"{spec.kind} {spec.url}@{exact} {parts if spec.kind is SourceKind.GIT else ''}"


def fetch_checkout(job: Job) -> Fetched:
    """Fetch a source of version control.

    Raises:
        FetchError: no such revision, no answer, or the program is missing.
        ChecksumError: the tree is not what the bundle's checksum says.
    """
    checkout = _Checkout(job=job, system=SYSTEMS[job.spec.kind])
    _check_words(checkout)
    exact = _exact_revision(checkout)
    key = checkout.key(exact)
    blob, from_cache = job.cache.find_named(key), True
    if blob is None:
        _need_network(job)
        with job.lock(key):
            blob = job.cache.find_named(key)
            if blob is None:
                blob, from_cache = _first_that_works(checkout, exact, key), False
    wanted = job.spec.digest
    if wanted is not None and wanted != blob.digest:
        raise ChecksumError(
            f"{job.label} is not what its checksum says",
            details=f"revision: {exact}\nexpected: {wanted}\nactual:   {blob.digest}",
            resolution="A checkout's checksum is the SHA-256 of Lapstrake's tar of it.",
        )
    return Fetched(
        spec=job.spec, path=blob.path, digest=blob.digest, size=blob.size, from_cache=from_cache,
        revision=exact, url=job.spec.url,
    )  # fmt: skip


def _check_words(checkout: _Checkout) -> None:
    job = checkout.job
    if not checkout.name:
        raise FetchError(
            f"{job.label}: no revision is given", resolution="Name a commit, a tag or a branch."
        )
    if not _REVISION.match(checkout.name) or ".." in checkout.name:
        raise FetchError(f"{job.label}: {checkout.name!r} cannot be a revision")
    for url in (job.spec.url, *job.rules.candidates(job.spec.url)):
        check_url(job, url)


def _need_network(job: Job) -> None:
    """A repository on this host may be used offline, too."""
    if not all(url.startswith(("file:", "/")) for url in job.rules.candidates(job.spec.url)):
        job.need_network()


def _exact_revision(checkout: _Checkout) -> str:
    """What the bundle's name for the revision stands for; said when that has changed."""
    job, name = checkout.job, checkout.name
    if checkout.system.is_exact(name):
        return name
    key = f"{job.spec.kind} {job.spec.url} names {name}"
    note = job.cache.note(key)
    known, moves = note.get("revision", ""), note.get("moves") == "yes"
    if known and (job.rules.offline or not (moves or job.rules.recheck)):
        return known
    _need_network(job)
    try:
        now = _identify(checkout)
    except CancelledError:
        raise
    except FetchError as silent:
        if not known:
            raise
        job.tell(Stage.WARNING, f"{silent.brief}: using {name} as last seen, {known}")
        return known
    if known and known != now.exact and not now.moves:
        job.tell(
            Stage.WARNING,
            f"{job.label}: the tag {name} of {job.spec.url} has moved: it was {known}, "
            f"it is {now.exact}",
        )
    job.cache.take_note(key, revision=now.exact, moves="yes" if now.moves else "no")
    return now.exact


def _identify(checkout: _Checkout) -> Revision:
    job = checkout.job
    complaints: list[FetchError] = []
    for url in job.rules.candidates(job.spec.url):
        try:
            return checkout.system.identify(job, url, checkout.name)
        except CancelledError:
            raise
        except FetchError as complaint:
            complaints.append(complaint)
    raise _joined(job, complaints)


def _first_that_works(checkout: _Checkout, exact: str, key: str) -> Blob:
    job = checkout.job
    complaints: list[FetchError] = []
    for url in job.rules.candidates(job.spec.url):
        try:
            return _export(checkout, url, exact, key)
        except CancelledError:
            raise
        except FetchError as complaint:
            complaints.append(complaint)
    raise _joined(job, complaints)


def _export(checkout: _Checkout, url: str, exact: str, key: str) -> Blob:
    cache = checkout.job.cache
    with cache.scratch() as scratch:
        tree, tar = scratch / "tree", scratch / "tree.tar"
        time = checkout.system.export(checkout.job, url, exact, tree)
        with cache.writing(f"packing {checkout.job.label}"):
            digest = write_tree_tar(tree, tar, mtime=time)
        return cache.add(tar, digest, keys=(key,))


def _joined(job: Job, complaints: list[FetchError]) -> LapstrakeError:
    if len(complaints) == 1:
        return complaints[0]
    return FetchError(
        f"{job.label} could not be fetched",
        details="\n\n".join(str(complaint) for complaint in complaints),
    )
