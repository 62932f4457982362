"""One artifact: kept here, downloaded before, or at one of its sites; whatever is found is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from lapstrake.artifact.archives.plain import BadArchiveError
from lapstrake.artifact.archives.unpack import compare_digest
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.getting.found import Got, Missing, Tried
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.artifact.keeping.status import Status, Where
from lapstrake.artifact.sites.base import Candidate, SiteError, Terms
from lapstrake.errors import StoreError
from lapstrake.host.files import sync_file, sync_folder
from lapstrake.progress import Progress
from lapstrake.source.cache import BusyError, DownloadCache
from lapstrake.source.job import CancelledError

_PATIENCE = 1.0
"""Seconds between looks at whether a wait for another process was given up."""
_DIGITS = 16


def fetch(status: Status, depot: Depot, terms: Terms, progress: Progress) -> Got | Missing:
    """Get what is not kept: from the downloads, else from the sites in their order.

    Args:
        status: what was found on this machine.
        depot: where artifacts are.
        terms: how sites are asked.
        progress: hears what is asked, and of what is broken.

    Raises:
        ArtifactError: it cannot be kept.
        StoreError: the disk is full.
        CancelledError: all was given up.
    """
    return _Getting(status, depot, terms, progress).run()


class _Getting:
    """The getting of one artifact: what it needs, and what was tried."""

    def __init__(self, status: Status, depot: Depot, terms: Terms, progress: Progress) -> None:
        self._status, self._terms, self._progress = status, terms, progress
        self._package, self._identity = status.package, status.identity
        self._cache = ArtifactCache(depot.artifacts)
        self._downloads = DownloadCache(depot.downloads)
        self._archive = depot.downloads / status.identity.file_name
        self._tried: list[Tried] = []

    def run(self) -> Got | Missing:
        """Look at all places in their order."""
        with self._alone():
            if kept := self._cache.find(self._identity):
                return self._got(Where.KEPT, kept)  # another process got it while we waited
            if kept := self._take_download():
                return self._got(Where.DOWNLOADED, kept)
            for candidate in self._candidates():
                if kept := self._ask(candidate):
                    return self._got(Where.NOTHING, kept, candidate.where)
        return Missing(package=self._package, identity=self._identity, tried=tuple(self._tried))

    def _got(self, where: Where, path: Path, site: str = "") -> Got:
        return Got(
            package=self._package, identity=self._identity, where=where, path=path, site=site
        )

    def _failed(self, where: str, said: str) -> None:
        self._tried.append(Tried(where=where, said=said))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one, of all processes, that gets this archive."""
        name, told = self._identity.file_name, False
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self._downloads.lock(name, timeout=_PATIENCE))
                    break
                except BusyError as busy:
                    if not told:
                        self._progress.headline(busy.brief)
                    told = True
                    if self._terms.cancelled.is_set():
                        raise CancelledError(f"{name}: given up") from busy
            yield

    def _take_download(self) -> Path | None:
        """The archive of an earlier download, or that somebody put there; a bad one is removed."""
        known = self._status.path if self._status.where is Where.DOWNLOADED else None
        archive = known or self._archive
        if not archive.exists():
            return None
        try:
            return self._keep(archive, archive.name)
        except BadArchiveError as bad:
            archive.unlink()
            self._failed(str(archive), f"{bad.brief}; removed")
            self._progress.warning(f"{bad.brief}; it was removed")
            return None

    def _candidates(self) -> Iterator[Candidate]:
        """All places, in the order of the sites; nothing is asked yet."""
        from lapstrake.artifact.sites.mirrors import mirrored
        from lapstrake.artifact.sites.resolve import plan

        for number, site in enumerate(self._package.sites, start=1):
            try:
                for each in mirrored(site, self._identity, self._terms.rewrites):
                    yield from plan(each, self._identity, self._package)
            except SiteError as wrong:
                self._failed(f"site {number}", str(wrong))

    def _ask(self, candidate: Candidate) -> Path | None:
        """Ask one place; its archive is kept if it is good.

        What an interrupted download left may be of another file: a bad one is got anew, once.
        """
        server = urlsplit(candidate.where).netloc or candidate.where
        self._progress.headline(f"getting {self._package.name} from {server}")
        partial = self._partial(candidate)
        for resumed in (True, False) if partial.exists() else (False,):
            try:
                self._download(candidate, partial)
                kept = self._keep(partial)
            except SiteError as failed:
                self._failed(candidate.where, str(failed))
                return None
            except BadArchiveError as bad:
                partial.unlink()
                if not resumed:
                    said = str(bad).replace(str(partial), "it")
                    self._failed(candidate.where, f"what it sent is broken: {said}")
                    self._progress.warning(f"what {candidate.where} sent is broken")
            else:
                self._publish(partial)
                return kept
        return None

    def _download(self, candidate: Candidate, partial: Path) -> None:
        try:
            with self._downloads.writing(f"downloading {candidate.where}"):
                candidate.get(partial, self._terms, self._progress)
        except StoreError:
            partial.unlink(missing_ok=True)  # it holds the space that is missing
            raise

    def _partial(self, candidate: Candidate) -> Path:
        """The file that a place's download grows in; only who is `_alone` writes it."""
        digits = hashlib.sha256(candidate.where.encode()).hexdigest()[:_DIGITS]
        folder = self._downloads.partial(candidate.where).parent
        return folder / f"{digits}-{self._identity.file_name}"

    def _keep(self, archive: Path, name: str = "") -> Path:
        """Unpack an archive into the artifacts, which reads it to its end."""
        if known := self._package.digests.get(name or self._identity.file_name):
            compare_digest(archive, known)
        return self._cache.put_archive(self._identity, archive, inputs=self._status.inputs)

    def _publish(self, partial: Path) -> None:
        """Give a whole archive its name among the downloads; what other sites began goes."""
        with self._downloads.writing(f"keeping {self._identity.file_name}"):
            partial.chmod(0o644)
            sync_file(partial)
            partial.replace(self._archive)
            sync_folder(self._archive.parent)
            for begun in partial.parent.glob(f"*-{self._identity.download_name}.*"):
                begun.unlink(missing_ok=True)
