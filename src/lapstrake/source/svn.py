"""Check out from Subversion: an export of one revision, so no store is kept.

Externals are left out: they follow whatever their server has at the moment.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from lapstrake.errors import FetchError
from lapstrake.host.process import Completed, require_program
from lapstrake.source.job import Job
from lapstrake.source.revision import Revision

_NUMBER = re.compile(r"r?([0-9]+)\Z")


class Subversion:
    """svn; a revision is a number or ``HEAD``."""

    def is_exact(self, revision: str) -> bool:
        """Whether it is a number."""
        return bool(_NUMBER.match(revision))

    def identify(self, job: Job, url: str, name: str) -> Revision:
        """Ask for the number of ``HEAD``."""
        if name != "HEAD":
            raise FetchError(
                f"{job.label}: {name!r} is no revision of Subversion (a number, or HEAD)"
            )
        done = _svn(job, "info", "--show-item", "revision", f"{url}@HEAD")
        return Revision(exact=done.text.strip(), moves=True)

    def export(self, job: Job, url: str, exact: str, target: Path) -> int:
        """Export a revision: keywords as they are stored, line ends as on Unix."""
        number = exact.removeprefix("r")
        source = f"{url}@{number}"  # the URL as it was then, even if it was moved since
        done = _svn(job, "info", "--show-item", "last-changed-date", source)
        _svn(
            job, "export", "--quiet", "--ignore-externals", "--ignore-keywords",
            "--native-eol", "LF", source, target,
        )  # fmt: skip
        if not target.is_dir():
            raise FetchError(f"{job.label}: {url} is a file, not a folder")
        return int(datetime.fromisoformat(done.text.strip()).timestamp())


def _svn(job: Job, command: str, *arguments: str | Path) -> Completed:
    svn = require_program("svn", package="subversion", error=FetchError)
    return job.run([svn, command, "--non-interactive", *arguments])
