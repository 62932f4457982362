"""Getting files and answers from web servers, by the downloader that fetches sources, too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.artifact.sites.secrets import origin_of, shown_url
from lapstrake.errors import FetchError
from lapstrake.progress import Progress
from lapstrake.source import http, job
from lapstrake.source.cache import DownloadCache
from lapstrake.source.rules import FetchRules
from lapstrake.source.spec import SourceKind, SourceSpec
from lapstrake.source.transfer import with_retries

_LONGEST = 24 * 3600.0
_ABSENT = frozenset({404, 410})

_Answer = TypeVar("_Answer")

Refine = Callable[[job.AttemptError], str]
"""What a refused attempt means, for people; empty when it means nothing special."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """Something on a web server.

    Attributes:
        url: where, with its secrets.
        headers: sent to that server only, not to where it redirects.
        refine: told of refusals; what it has words for is final, and not tried again.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    refine: Refine = lambda _refused: ""

    @property
    def shown(self) -> str:
        """The address for people."""
        return shown_url(self.url)

    @property
    def asking(self) -> http.Asking:
        """The same for the downloader."""
        return http.Asking(headers=self.headers, shown=self.shown, secure=True)


def fetch_file(file: WebFile, target: Path, terms: Terms, progress: Progress) -> None:
    """Download a file, going on with what is in `target`.

    Raises:
        NotThereError: the server does not have it.
        SiteError: it could not be asked, or broke off too often.
        StoreError: the disk refused.
    """
    _attempts(
        file, target, terms, progress,
        lambda work: http.download(work, file.url, target, file.asking),
    )  # fmt: skip


def fetch_json(file: WebFile, terms: Terms, progress: Progress) -> Any:  # noqa: ANN401 - any JSON
    """Ask for a document.

    Raises: as `fetch_file`; and SiteError: it is no JSON.
    """
    accept = file.headers["Accept"]
    page, _, _ = _attempts(
        file, None, terms, progress,
        lambda work: http.get_page(work, file.url, accept=accept, asking=file.asking),
    )  # fmt: skip
    try:
        return json.loads(page)
    except (ValueError, RecursionError) as wrong:
        raise SiteError("the answer is no JSON: is this the right server?") from wrong


def verify_sha256(file: Path, expected: str) -> None:
    """Compare a file with what its site says of it.

    Raises:
        SiteError: it is something else; the file is removed.
    """
    with file.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != expected.lower():
        file.unlink()
        raise SiteError(f"it sent something else than it says: SHA-256 {actual}, not {expected}")


def _attempts(
    file: WebFile,
    target: Path | None,
    terms: Terms,
    progress: Progress,
    attempt: Callable[[job.Job], _Answer],
) -> _Answer:
    """Attempt as often as the terms allow; what the downloader says becomes what sites say."""
    terms.need_network()
    origin_of(file.url)
    work = _job(file, target, terms, progress)
    try:
        return with_retries(work, file.shown, target, lambda: _refined(file, attempt, work))
    except job.CancelledError:
        raise
    except job.AttemptError as refused:
        said = file.refine(refused) or refused.brief.removeprefix(f"{file.shown}: ")
        kind = NotThereError if refused.status in _ABSENT else SiteError
        raise kind(said) from refused
    except FetchError as refused:
        raise SiteError(str(refused)) from refused


def _refined(file: WebFile, attempt: Callable[[job.Job], _Answer], work: job.Job) -> _Answer:
    """Attempt; what would be tried again in vain is not."""
    try:
        return attempt(work)
    except job.PassingError as passing:
        if file.refine(passing):
            raise job.NotThereError(
                passing.brief, status=passing.status, headers=passing.headers
            ) from passing
        raise


def _job(file: WebFile, target: Path | None, terms: Terms, progress: Progress) -> job.Job:
    def tell(event: job.FetchEvent) -> None:
        if event.stage is job.Stage.PROGRESS:
            terms.on_bytes(event.done, event.total)
        elif event.stage is job.Stage.RETRY:
            progress.warning(f"{event.text}; trying again")

    return job.Job(
        spec=SourceSpec(kind=SourceKind.FILE, url=file.shown, name=file.shown),
        cache=DownloadCache(target.parent if target else Path()),  # names the disk in errors
        rules=FetchRules(
            retries=terms.retries,
            pause=terms.pause,
            timeout=terms.timeout,
            deadline=_LONGEST,
            max_size=terms.largest,
        ),
        on_event=tell,
        cancelled=terms.cancelled,
        web=terms.web,
    )
