"""One attempt to download over FTP, with the standard library."""

from __future__ import annotations

from pathlib import Path

from lapstrake.errors import FetchError
from lapstrake.formats.checksum import PIECE
from lapstrake.source.job import Job, NotThereError, PassingError, Stage


def download(job: Job, url: str, partial: Path) -> None:
    """Download into a file, from its beginning: few servers resume, and ten sources use FTP.

    Raises:
        PassingError: it may work another time.
        NotThereError: the server has no such file.
        FetchError: a bound was exceeded.
        OSError: the disk is full.
    """
    import ftplib  # not at start-up: few sources need them
    import urllib.error
    import urllib.request

    timeout = min(job.rules.timeout, job.remaining())
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - ftp only
            total = int(answer.headers.get("Content-Length") or 0)
            done = _receive(job, answer.read, partial, total)
    except urllib.error.URLError as refused:
        if "550" in str(refused.reason):
            raise NotThereError(f"{url}: {refused.reason}") from refused
        raise PassingError(f"{url}: {refused.reason}") from refused
    except (TimeoutError, ConnectionError, EOFError, ftplib.Error) as broken:
        raise PassingError(f"{url}: {broken or type(broken).__name__}") from broken
    if total and done != total:
        raise PassingError(f"{url}: {done} bytes came instead of {total}")


def _receive(job: Job, read: object, partial: Path, total: int) -> int:
    assert callable(read)  # noqa: S101 - the library has no types for it
    done = 0
    with partial.open("wb") as file:
        while piece := read(PIECE):
            job.remaining()
            file.write(piece)
            done += len(piece)
            if done > job.rules.max_size:
                raise FetchError(f"{job.label} is larger than {job.rules.max_size} bytes")
            job.tell(Stage.PROGRESS, done=done, total=total)
    return done
