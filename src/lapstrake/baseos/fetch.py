"""The tarball of a base OS: a path, a URL, AOSC's BuildKit in the work folder, or the newest."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lapstrake.baseos import buildkit
from lapstrake.baseos.configured import buildkit_file
from lapstrake.config.model import BaseConfig
from lapstrake.errors import BaseError, ChecksumError, FetchError
from lapstrake.names import Digest
from lapstrake.place.workplace import Workplace

if TYPE_CHECKING:
    from lapstrake.source.job import FetchEvent, Job

_CHECKSUM_SUFFIXES = (".sha256sum", ".sha256")
_REMOTE = frozenset({"http", "https", "ftp"})


def find_tarball(place: Workplace, base: BaseConfig) -> tuple[Path, Digest, str]:
    """Find the tarball that the configuration means; one from the network is downloaded.

    ``work_dir/buildkit_ARCH.tar.xz`` is taken if nothing is named and it lies there (as in aoinb);
    else the newest BuildKit of the configured address.

    Returns:
        its file, its checksum, and its name for people.

    Raises:
        BaseError: there is none, or it cannot be downloaded.
        ChecksumError: it is not what the checksum in the configuration, or beside it, says.
    """
    local = buildkit_file(place)
    if base.url:
        remote = urlsplit(base.url).scheme.lower() in _REMOTE
        found = buildkit.Tarball(url=base.url, digest=base.checksum) if remote else None
        archive = _local(base.url)
    elif local.is_file() or not base.buildkit_url:
        found, archive = None, local
    else:
        found, archive = _newest_buildkit(place, base.buildkit_url), local
    if found is not None:
        return _download(place, found)
    if not archive.is_file():
        raise BaseError(
            f"no base OS to load: {archive} does not exist",
            resolution="Give one: `lapstrake load-baseos FILE-OR-URL`, or set base.buildkit_url.",
        )
    return archive, _verified(archive, base.checksum), archive.name


def _local(url: str) -> Path:
    return Path(unquote(urlsplit(url).path) if url.startswith("file://") else url)


def _verified(archive: Path, wanted: Digest | None) -> Digest:
    """Hash a file, and compare when a checksum is known."""
    algorithm = wanted.algorithm if wanted else "sha256"
    with archive.open("rb") as file:
        actual = Digest(algorithm, hashlib.file_digest(file, algorithm).hexdigest())
    if wanted is not None and actual != wanted:
        raise ChecksumError(
            f"{archive} is not what its checksum says",
            details=f"expected {wanted}\n  actual {actual}",
            resolution="Get the file again, or correct the checksum.",
        )
    return actual


def _newest_buildkit(place: Workplace, url: str) -> buildkit.Tarball:
    """Read the list of BuildKits: a manifest in JSON, or a page with links."""
    from lapstrake.source.http import get_page

    with _job(place, url) as job:
        data, kind, final_url = get_page(job, url, accept="application/json, text/html")
    read = buildkit.read_manifest if "json" in kind or url.endswith(".json") else buildkit.read_page
    text = data.decode("utf-8", "replace")
    found = buildkit.newest(read(text, final_url), place.config.arch)
    if found is None:
        raise BaseError(
            f"{url} lists no BuildKit for {place.config.arch}",
            resolution="Set [base] buildkit_url to AOSC's manifest or folder of BuildKits.",
        )
    return found


def _download(place: Workplace, tarball: buildkit.Tarball) -> tuple[Path, Digest, str]:
    """Have a tarball in the download cache, whose parts survive an interruption."""
    from lapstrake.source.transfer import transfer

    with _job(place, tarball.url) as job:
        digest = tarball.digest or _checksum_beside(job, tarball.url)
        if digest is None:
            job.cache.take_note(tarball.url)  # the name alone does not tell whether it changed
        blob, _, _ = transfer(job, tarball.url, digest)
    return blob.path, digest or blob.digest, job.spec.name


def _checksum_beside(job: Job, url: str) -> Digest | None:
    """The checksum in a small file that lies beside a tarball, if there is one."""
    from lapstrake.source.http import get_page

    name = posixpath.basename(urlsplit(url).path)
    for suffix in _CHECKSUM_SUFFIXES:
        try:
            data, _, _ = get_page(job, url + suffix, accept="text/plain")
        except FetchError:
            continue
        digest = buildkit.read_checksum(data.decode("utf-8", "replace"), name)
        if digest is not None:
            return digest
    return None


@contextmanager
def _job(place: Workplace, url: str) -> Iterator[Job]:
    """A download by the configuration's rules, told to the progress; it fails as a `BaseError`."""
    from lapstrake.source.cache import DownloadCache
    from lapstrake.source.job import Job
    from lapstrake.source.rules import FetchRules, Rewrite
    from lapstrake.source.spec import SourceKind, SourceSpec

    name = posixpath.basename(unquote(urlsplit(url).path)) or url
    rewrites = tuple(
        Rewrite(prefix=rule.prefix, to=rule.replacements) for rule in place.config.rewrite_rules()
    )
    job = Job(
        spec=SourceSpec(kind=SourceKind.FILE, url=url, name=name),
        cache=DownloadCache(place.config.cache.download_dir),
        rules=FetchRules(rewrites=rewrites),
        on_event=_Teller(place),
    )
    try:
        yield job
    except FetchError as failed:
        raise BaseError(
            f"the base OS could not be downloaded: {failed.brief}",
            details=failed.details or url,
            resolution=failed.resolution,
        ) from failed
    finally:
        job.web.close()


class _Teller:
    """Tells the progress of a download in steps of some per cent."""

    _STEP = 5

    def __init__(self, place: Workplace) -> None:
        self._progress = place.progress
        self._told = -1

    def __call__(self, event: FetchEvent) -> None:
        from lapstrake.source.job import Stage

        if event.stage in {Stage.RETRY, Stage.WARNING}:
            self._progress.warning(f"{event.spec.name}: {event.text}")
        elif event.stage is Stage.PROGRESS and event.total:
            share = event.done * 100 // event.total
            if share // self._STEP > self._told:
                self._told = share // self._STEP
                self._progress.output(f"{event.spec.name}: {share} %\n".encode())
