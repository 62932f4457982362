"""Fetch everything a bundle needs, in parallel, before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from lapstrake.errors import ChecksumError, LapstrakeError
from lapstrake.source.cache import DownloadCache
from lapstrake.source.cancellation import Cancellation
from lapstrake.source.job import (
    CancelledError,
    Fetched,
    FetchEvent,
    Job,
    OnEvent,
    Stage,
)
from lapstrake.source.rules import FetchRules
from lapstrake.source.spec import SourceKind, SourceSpec
from lapstrake.source.transfer import transfer
from lapstrake.source.web import Web

if TYPE_CHECKING:
    from concurrent.futures import Future

    from lapstrake.source.index_file import IndexFile

Handler = Callable[[Job], Fetched]
"""Fetches one source of one kind."""


def fetch_all(
    specs: Sequence[SourceSpec],
    *,
    cache: DownloadCache,
    rules: FetchRules,
    folder: Path | None = None,
    on_event: OnEvent = lambda _event: None,
) -> tuple[Fetched, ...]:
    """Fetch and verify sources, several at a time.

    Args:
        specs: what to fetch.
        cache: where it goes.
        rules: mirrors, bounds, offline.
        folder: the bundle's folder, for sources that are plain paths.
        on_event: told what happens, from several threads.

    Returns:
        the sources in the order of `specs`.

    Raises:
        LapstrakeError: one failed; the others are given up. When several had failed by then, the
            error names them all, and a wrong checksum decides its class.
    """
    from concurrent.futures import ThreadPoolExecutor  # not at start-up: logging comes with it

    cache.clean()
    cancelled, web = Cancellation(), Web()
    jobs = [
        Job(spec=spec, cache=cache, rules=rules, on_event=on_event, folder=folder,
            cancelled=cancelled, web=web)
        for spec in specs
    ]  # fmt: skip
    with ThreadPoolExecutor(max_workers=max(1, min(rules.jobs, len(jobs)))) as pool:
        futures = [pool.submit(_fetch_one, job) for job in jobs]
        try:
            _wait(futures)
        finally:
            # Also when we are interrupted: whoever is still at it must not keep us.
            if not all(future.done() for future in futures):
                cancelled.cancel()
                pool.shutdown(wait=True, cancel_futures=True)
            web.close()
    _raise_all([error for future in futures if (error := _error_of(future)) is not None])
    return tuple(future.result() for future in futures)


def _wait(futures: list[Future[Fetched]]) -> None:
    """Wait until all are done or one has failed."""
    from concurrent.futures import FIRST_COMPLETED, wait

    pending = set(futures)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        if any(future.exception() for future in done):
            return


def _error_of(future: Future[Fetched]) -> BaseException | None:
    return None if future.cancelled() else future.exception()


def _raise_all(errors: list[BaseException]) -> None:
    """Raise what went wrong, as one error."""
    failures = [error for error in errors if not isinstance(error, CancelledError)]
    for error in failures:
        if not isinstance(error, LapstrakeError):
            raise error  # a mistake of ours
    known = [error for error in failures if isinstance(error, LapstrakeError)]
    if len(known) == 1:
        raise known[0]
    if known:
        first = next((error for error in known if isinstance(error, ChecksumError)), known[0])
        raise type(first)(
            f"{len(known)} sources could not be fetched",
            details="\n\n".join(str(error) for error in known),
        ) from first


def _fetch_one(job: Job) -> Fetched:
    job.remaining()
    job.tell(Stage.STARTED)
    try:
        fetched = HANDLERS[job.spec.kind](job)
    except LapstrakeError as failed:
        if not isinstance(failed, CancelledError):
            job.tell(Stage.FAILED, failed.brief)
        raise
    job.tell(Stage.DONE, done=fetched.size, total=fetched.size)
    return fetched


def _fetch_file(job: Job) -> Fetched:
    spec = job.spec
    blob, from_cache, url = transfer(job, spec.url, spec.digest)
    return Fetched(
        spec=spec,
        path=blob.path,
        digest=blob.digest,
        size=blob.size,
        from_cache=from_cache,
        url=url,
    )


def _fetch_indexed(find: Callable[[Job], IndexFile], job: Job) -> Fetched:
    """Fetch what an index must be asked for; not asked when the pinned bytes are here."""
    spec = job.spec
    key = f"{spec.kind}:{spec.url}@{spec.revision}"
    known = job.cache.find(spec.digest) if spec.digest else job.cache.find_named(key)
    if known is not None:
        return Fetched(
            spec=spec, path=known.path, digest=known.digest, size=known.size, from_cache=True
        )
    job.need_network()
    file = find(job)
    blob, from_cache, url = transfer(job, file.url, spec.digest or file.digest)
    job.cache.take_note(key, sha256=blob.digest.hex)
    return Fetched(
        spec=spec,
        path=blob.path,
        digest=blob.digest,
        size=blob.size,
        from_cache=from_cache,
        url=url,
    )


def _fetch_pypi(job: Job) -> Fetched:
    from lapstrake.source.pypi import find_archive

    return _fetch_indexed(find_archive, job)


def _fetch_npm(job: Job) -> Fetched:
    from lapstrake.source.npm import find_archive

    return _fetch_indexed(find_archive, job)


def _fetch_checkout(job: Job) -> Fetched:
    from lapstrake.source.checkout import fetch_checkout

    return fetch_checkout(job)


HANDLERS: Mapping[SourceKind, Handler] = MappingProxyType(
    {
        SourceKind.ARCHIVE: _fetch_file,
        SourceKind.FILE: _fetch_file,
        SourceKind.PYPI: _fetch_pypi,
        SourceKind.NPM: _fetch_npm,
        SourceKind.GIT: _fetch_checkout,
        SourceKind.SVN: _fetch_checkout,
        SourceKind.HG: _fetch_checkout,
        SourceKind.BZR: _fetch_checkout,
        SourceKind.FOSSIL: _fetch_checkout,
    }
)
"""What fetches each kind; imports of what is seldom wanted wait until it is."""

__all__ = ["FetchEvent", "Fetched", "fetch_all"]
