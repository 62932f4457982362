"""Transfer one file into the cache: the attempts, the mirrors, the checksum."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from lapstrake.errors import ChecksumError, FetchError, StoreError
from lapstrake.formats.checksum import hash_stream
from lapstrake.names import Digest
from lapstrake.source import ftp, http
from lapstrake.source.cache import Blob
from lapstrake.source.job import Job, NotThereError, PassingError, Stage

_Answer = TypeVar("_Answer")

Attempt = Callable[[Job, str, Path], None]
"""Downloads a URL into a file, once."""

_ATTEMPTS: dict[str, Attempt] = {
    "http": http.download,
    "https": http.download,
    "ftp": ftp.download,
}


def transfer(job: Job, url: str, digest: Digest | None) -> tuple[Blob, bool, str]:
    """Have a URL's bytes in the cache, verified.

    Args:
        job: the source.
        url: what the bundle says; the rules say where it is really fetched from.
        digest: what the bytes must be; ``None``: whatever comes (somebody else vouches for it).

    Returns:
        the bytes, whether they came from the cache, and the URL they came from.

    Raises:
        FetchError: no URL gave them.
        ChecksumError: they came, but are something else, also the second time.
    """
    if blob := _cached(job, url, digest):
        return blob, True, url
    if local := _local_path(job, url):
        return _take_local(job, local, digest), False, url
    job.need_network()
    with job.lock(str(digest or url)):
        if blob := _cached(job, url, digest):
            return blob, True, url  # another process fetched it while we waited
        if blob := _from_elsewhere(job, url, digest):
            return blob, False, str(digest)
        fetched = _from_candidates(job, url, digest)
        if job.rules.elsewhere is not None and digest is not None:
            job.rules.elsewhere.offer(fetched[0].path, fetched[0].digest)
        return fetched


def _cached(job: Job, url: str, digest: Digest | None) -> Blob | None:
    if digest is not None:
        return job.cache.find(digest)
    return None if is_local(url) else job.cache.find_named(url)


def _from_elsewhere(job: Job, url: str, digest: Digest | None) -> Blob | None:
    """Ask the one who knows sources by their checksums; what it gives is verified like any."""
    elsewhere = job.rules.elsewhere
    if elsewhere is None or digest is None:
        return None
    with job.cache.scratch() as scratch:
        copy = scratch / "copy"
        try:
            if not elsewhere.find(digest, copy):
                return None
            return _keep(job, copy, digest, url=url, keys=(url,))
        except ChecksumError as wrong:
            job.tell(Stage.WARNING, wrong.brief)
            return None


def _from_candidates(job: Job, url: str, digest: Digest | None) -> tuple[Blob, bool, str]:
    """Try every URL; a wrong checksum says more than that some mirror lacks the file."""
    complaints: list[FetchError | ChecksumError] = []
    for candidate in job.rules.candidates(url):
        try:
            if local := _local_path(job, candidate):
                return _take_local(job, local, digest), False, candidate
            return _verified(job, candidate, digest, key=url), False, candidate
        except (NotThereError, PassingError, ChecksumError) as complaint:
            complaints.append(complaint)
            job.tell(Stage.WARNING, complaint.brief)
    wrong = next((c for c in complaints if isinstance(c, ChecksumError)), None)
    if wrong is not None:
        raise wrong
    raise FetchError(
        f"{job.label} could not be fetched",
        details="\n".join(str(complaint) for complaint in complaints),
        resolution="Check the URL, the network and the mirrors in the configuration.",
    )


def _verified(job: Job, url: str, digest: Digest | None, *, key: str) -> Blob:
    """Download and compare; a file that is not what it should be is fetched once more."""
    partial = job.cache.partial(url, digest)
    for last in (False, True):
        _with_retries(job, url, partial)
        try:
            return _keep(job, partial, digest, url=url, keys=(key,))
        except ChecksumError as wrong:
            partial.unlink(missing_ok=True)
            if last:
                raise
            job.tell(Stage.RETRY, f"{wrong.brief}: fetching it once more")
    raise AssertionError  # the second round returns or raises


def _with_retries(job: Job, url: str, partial: Path) -> None:
    attempt = _ATTEMPTS.get(_split(url).scheme.lower())
    if attempt is None:
        raise NotThereError(
            f"{url}: no way to fetch such a URL",
            details=f"known: {', '.join(_ATTEMPTS)}, file; debian:/// needs a rewrite rule",
        )
    with_retries(job, url, partial, lambda: attempt(job, url, partial))


def with_retries(
    job: Job, shown: str, partial: Path | None, attempt: Callable[[], _Answer]
) -> _Answer:
    """Attempt a download as often as the rules allow, with growing pauses.

    Args:
        job: for the rules; it is told of each further attempt.
        shown: the URL in messages.
        partial: what the attempt writes, if it does; removed when the disk is full.
        attempt: downloads, going on with what is in `partial`.

    Returns:
        what the attempt gives that ends well.

    Raises:
        PassingError: also the last attempt failed so.
        NotThereError: what an attempt raised.
        StoreError: the disk refused.
    """
    for count in range(job.rules.retries + 1):
        try:
            with job.cache.writing(f"downloading {shown}"):
                return attempt()
        except PassingError as passing:
            if count == job.rules.retries:
                raise
            job.tell(Stage.RETRY, passing.brief)
            job.wait(max(passing.wait, job.rules.pause * 2**count))
        except StoreError:
            if partial is not None:
                partial.unlink(missing_ok=True)  # it holds the space that is missing
            raise
    raise AssertionError  # the last round returns or raises


def _keep(job: Job, file: Path, digest: Digest | None, *, url: str, keys: tuple[str, ...]) -> Blob:
    """Verify a downloaded file and move it into the cache."""
    algorithms = {"sha256", digest.algorithm if digest else "sha256"}
    with job.cache.writing(f"reading {url}"), file.open("rb") as stream:
        hasher = hash_stream(stream, algorithms)
    if digest is not None and (actual := hasher.digest(digest.algorithm)) != digest:
        raise ChecksumError(
            f"{job.label} is not what its checksum says",
            details=f"from:     {url}\nexpected: {digest}\nactual:   {actual}",
            resolution="Find out why before you change the checksum: the file may be forged.",
        )
    also = (digest,) if digest is not None else ()
    return job.cache.add(file, hasher.digest("sha256"), *also, keys=keys)


def is_local(url: str) -> bool:
    """Whether a URL names a file of this host: ``file://`` or a plain path."""
    return _split(url).scheme.lower() in ("", "file")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as wrong:
        raise NotThereError(f"{url!r} is no URL: {wrong}") from wrong


def _local_path(job: Job, url: str) -> Path | None:
    """The file a local URL names; a plain path is below the bundle's folder and stays there."""
    parts = _split(url)
    if parts.scheme.lower() == "file":
        if parts.netloc not in ("", "localhost"):
            raise NotThereError(f"{url}: file:// URLs have three slashes before the path")
        return Path(unquote(parts.path))
    if parts.scheme:
        return None
    if job.folder is None:
        raise NotThereError(f"{job.label}: {url!r} is no URL")
    path = (job.folder / url).resolve()
    if not path.is_relative_to(job.folder.resolve()):
        raise FetchError(
            f"{job.label}: {url!r} is outside the bundle's folder",
            resolution="Put the file into the bundle, or name it by a file:// URL.",
        )
    return path


def _take_local(job: Job, path: Path, digest: Digest | None) -> Blob:
    if not path.is_file():
        raise NotThereError(f"{job.label}: the file {path} does not exist")
    with job.cache.scratch() as scratch:
        copy = scratch / "copy"
        with job.cache.writing(f"copying {path}"):
            shutil.copyfile(path, copy)
        return _keep(job, copy, digest, url=str(path), keys=())
