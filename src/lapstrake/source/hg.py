"""Check out from Mercurial: a clone without files as the mirror, archived without configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lapstrake.errors import FetchError
from lapstrake.host.process import Completed, require_program
from lapstrake.source.job import Job
from lapstrake.source.revision import Revision

_FULL_HASH = re.compile(r"[0-9a-f]{40}\Z")
_USERS = {"HGPLAIN": "1"}
_BARE = {"HGPLAIN": "1", "HGRCPATH": ""}
"""No configuration at all: no hooks, no extensions, the same files everywhere."""


class Mercurial:
    """hg; a revision is a hash, a tag, a bookmark or a branch."""

    def is_exact(self, revision: str) -> bool:
        """Whether it is a whole hash."""
        return bool(_FULL_HASH.match(revision))

    def identify(self, job: Job, url: str, name: str) -> Revision:
        """Ask the server for the hash."""
        done = _hg(job, "identify", "--debug", "--id", "--rev", name, "--", url, env=_USERS)
        exact = done.text.strip().rstrip("+")
        if not _FULL_HASH.match(exact) or not exact.strip("0"):
            raise FetchError(f"{job.label}: {url} has no revision {name!r}")
        branches = _hg(job, "identify", "--branch", "--rev", name, "--", url, env=_USERS)
        return Revision(exact=exact, moves=name in ("tip", branches.text.strip()))

    def export(self, job: Job, url: str, exact: str, target: Path) -> int:
        """Write a revision's files."""
        mirror = job.cache.mirror("hg", url)
        with job.lock(f"hg mirror {url}"):
            if not mirror.exists():
                _clone(job, url, mirror)
            if (mirror / ".hg" / "store" / "journal").exists():
                _hg(job, "-R", mirror, "recover", env=_BARE)  # a pull was killed
            if _hg(job, "-R", mirror, "log", "-r", exact, env=_BARE, allowed=(0, 255)).status:
                _hg(job, "-R", mirror, "pull", "--quiet", "--", url, env=_USERS)
        done = _hg(job, "-R", mirror, "log", "-r", exact, "--template", "{date|hgdate}", env=_BARE)
        _hg(
            job, "-R", mirror, "--config", "ui.archivemeta=false", "archive", "--rev", exact,
            "--type", "files", "--", target, env=_BARE,
        )  # fmt: skip
        return int(done.text.split()[0])


def _clone(job: Job, url: str, mirror: Path) -> None:
    mirror.parent.mkdir(parents=True, exist_ok=True)
    with job.cache.scratch() as scratch:
        clone = scratch / "clone"
        _hg(job, "clone", "--quiet", "--noupdate", "--pull", "--", url, clone, env=_USERS)
        clone.replace(mirror)


def _hg(
    job: Job, *arguments: str | Path, env: Mapping[str, str], allowed: tuple[int, ...] = (0,)
) -> Completed:
    hg = require_program("hg", package="mercurial", error=FetchError)
    return job.run([hg, "--noninteractive", *arguments], env=env, allowed=allowed)
