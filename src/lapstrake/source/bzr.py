"""Check out from Bazaar (or Breezy, which reads the same branches): an export of one revision."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from lapstrake.errors import FetchError
from lapstrake.host.process import Completed, find_program, require_program
from lapstrake.source.job import Job
from lapstrake.source.revision import Revision

_EXACT = re.compile(r"(?:[0-9]+(?:\.[0-9]+)*|revid:.+)\Z")
_TIME = re.compile(rb"^timestamp: (.+)$", re.MULTILINE)


class Bazaar:
    """bzr; a revision is a number, ``revid:ID`` or a tag."""

    def is_exact(self, revision: str) -> bool:
        """Whether it is a number or an identifier."""
        return bool(_EXACT.match(revision))

    def identify(self, job: Job, url: str, name: str) -> Revision:
        """Ask what a tag stands for, or ``-1`` or ``last:1`` for the newest."""
        word = name if ":" in name else f"tag:{name}"
        done = _bzr(job, "revision-info", "-d", url, "-r", word)
        identifier = done.text.split()[-1]
        return Revision(exact=f"revid:{identifier}", moves=not word.startswith("tag:"))

    def export(self, job: Job, url: str, exact: str, target: Path) -> int:
        """Write a revision's files."""
        _bzr(job, "export", "--quiet", "--format=dir", "-r", exact, target, url)
        done = _bzr(job, "log", "--long", "--timezone=utc", "-r", exact, url)
        found = _TIME.search(done.stdout)
        if found is None:
            return 0
        said = datetime.strptime(found[1].decode(), "%a %Y-%m-%d %H:%M:%S %z")
        return int(said.timestamp())


def _bzr(job: Job, *arguments: str | Path) -> Completed:
    program = find_program("brz") or require_program("bzr", package="brz", error=FetchError)
    environment = {"BRZ_LOG": "/dev/null", "BZR_LOG": "/dev/null", "BRZ_PROGRESS_BAR": "none"}
    return job.run([program, *arguments], env=environment)
