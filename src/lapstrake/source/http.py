"""One attempt to download over HTTP(S): the only user of the HTTP library.

The library is imported when the first byte is wanted, since most commands want none. Proxies and
certificates are taken from the environment.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.errors import FetchError
from lapstrake.source.job import Job, NotThereError, PassingError, Stage
from lapstrake.source.web import PRIVATE, Private

if TYPE_CHECKING:
    import httpx2

_ERROR_NUMBER = re.compile(r"\[Errno -?\d+\] ")
_PROGRESS_EVERY = 1 << 20
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 522, 524})
_LARGEST_PAGE = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a URL is asked for.

    Attributes:
        headers: sent to the URL's own server, and to no other one that it redirects to.
        shown: the URL in messages, when it has secrets in it.
        secure: follow no redirection away from TLS: nothing else vouches for the bytes.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    shown: str = ""
    secure: bool = False


_PLAINLY = Asking()


def download(job: Job, url: str, partial: Path, asking: Asking = _PLAINLY) -> None:
    """Download into a file, going on where an earlier attempt ended.

    Args:
        job: the source, for bounds and progress.
        url: where.
        partial: the file; beside it, ``.json`` keeps what tells whether the server's is still the
            same.
        asking: more headers.

    Raises:
        PassingError: it may work another time; what came is kept.
        NotThereError: it will not work.
        FetchError: a bound was exceeded.
        OSError: the disk is full.
    """
    facts = partial.with_suffix(".json")
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and (validator := _read_validator(facts)):
        headers["If-Range"] = validator  # RFC 9110, 13.1.5: all of it, if it changed since
    with _answer(job, url, headers, asking) as response:
        if start and response.headers.get("Content-Range", "") == f"bytes */{start}":
            return  # 416: there is no more, since all of it is here
        start = _accepted_start(response, start, asking.shown or url, partial)
        total = start + int(response.headers.get("Content-Length") or 0)
        _check_size(job, total)
        facts.write_text(json.dumps(_validator(response)), encoding="utf-8")
        with partial.open("ab" if start else "wb") as file:
            done = told = start
            for piece in response.iter_raw():
                job.remaining()
                file.write(piece)
                done += len(piece)
                _check_size(job, done)
                if done - told >= _PROGRESS_EVERY:
                    told = done
                    job.tell(Stage.PROGRESS, done=done, total=total)
    facts.unlink(missing_ok=True)


def get_page(
    job: Job, url: str, *, accept: str, asking: Asking = _PLAINLY
) -> tuple[bytes, str, str]:
    """Get something small, such as an index.

    Returns:
        its bytes, its content type, and the URL it came from after redirections.

    Raises: as `download`.
    """
    with _answer(job, url, {"Accept": accept}, asking) as response:
        data = b""
        for piece in response.iter_bytes():
            job.remaining()
            data += piece
            if len(data) > _LARGEST_PAGE:
                raise NotThereError(
                    f"{asking.shown or url}: an index of more than {_LARGEST_PAGE} bytes"
                )
        return data, response.headers.get("Content-Type", ""), str(response.url)


@contextmanager
def _answer(
    job: Job, url: str, headers: dict[str, str], asking: Asking
) -> Iterator[httpx2.Response]:
    """Ask for a URL and judge the status; every error of the library becomes one of ours."""
    import httpx2

    timeout = min(job.rules.timeout, job.remaining())
    shown = asking.shown or url
    extensions = {PRIVATE: Private(names=tuple(asking.headers), url=url, secure=asking.secure)}
    try:
        with job.web.client().stream(
            "GET", url, headers={**headers, **asking.headers}, timeout=timeout,
            extensions=extensions,
        ) as response:  # fmt: skip
            _judge(response, shown)
            with job.cancelled.calling(lambda: _hang_up(response)):
                yield response
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects) as wrong:
        raise NotThereError(f"{shown}: {wrong}") from wrong
    except httpx2.TimeoutException as late:
        raise PassingError(f"{shown}: no answer within {timeout:.0f} s") from late
    except httpx2.HTTPError as broken:
        job.remaining()
        said = _ERROR_NUMBER.sub("", str(broken)) or type(broken).__name__
        raise PassingError(f"{shown}: {said}") from broken


def _hang_up(response: httpx2.Response) -> None:
    """Wake the thread that waits for the next byte: only a shutdown does, not a close."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)


def _judge(response: httpx2.Response, url: str) -> None:
    status = response.status_code
    if status in (200, 206, 416):
        return
    said = f"{url}: status {status} {response.reason_phrase}".rstrip()
    kind = PassingError if status in _PASSING_STATUSES else NotThereError
    raise kind(said, status=status, headers=dict(response.headers))


def _accepted_start(response: httpx2.Response, start: int, url: str, partial: Path) -> int:
    """Where the answer's bytes belong: after what we have, or at the beginning."""
    if response.status_code == 200:
        return 0
    said = response.headers.get("Content-Range", "")
    if response.status_code == 206 and start and said.startswith(f"bytes {start}-"):
        return start
    partial.unlink(missing_ok=True)
    raise PassingError(f"{url}: the server cannot go on at byte {start}")


def _check_size(job: Job, size: int) -> None:
    if size > job.rules.max_size:
        raise FetchError(
            f"{job.label} is larger than {job.rules.max_size} bytes, which is the bound"
        )


def _validator(response: httpx2.Response) -> str:
    """What identifies this version of the file: a strong ETag, or when it was changed."""
    etag = str(response.headers.get("ETag", ""))
    if etag and not etag.startswith("W/"):
        return etag
    return str(response.headers.get("Last-Modified", ""))


def _read_validator(facts: Path) -> str:
    try:
        found = json.loads(facts.read_bytes())
    except (OSError, ValueError):
        return ""
    return found if isinstance(found, str) else ""
