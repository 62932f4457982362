"""Check out from Fossil: a clone as the mirror, and the tarball it makes of a check-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lapstrake.errors import FetchError
from lapstrake.host.process import Completed, require_program
from lapstrake.source.job import Job
from lapstrake.source.revision import Revision
from lapstrake.source.unpack import UnpackBounds, unpack

_FULL_HASH = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_SAID = re.compile(r"^(?:hash|uuid):\s+([0-9a-f]{40,64}) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.M)


class Fossil:
    """fossil; a revision is a hash, a tag or a branch."""

    def is_exact(self, revision: str) -> bool:
        """Whether it is a whole hash."""
        return bool(_FULL_HASH.match(revision))

    def identify(self, job: Job, url: str, name: str) -> Revision:
        """Look a name up in an up-to-date clone; a branch's name is the newest check-in's tag."""
        with _mirror(job, url, needed=None) as mirror:
            exact, _ = _info(job, mirror, name)
            branches = _fossil(job, "branch", "list", "--all", "-R", mirror).text.split()
        return Revision(exact=exact, moves=name in branches or name in ("tip", "trunk"))

    def export(self, job: Job, url: str, exact: str, target: Path) -> int:
        """Write a check-in's files."""
        tarball = target.with_name(f"{target.name}.tar.gz")
        with _mirror(job, url, needed=exact) as mirror:
            _, time = _info(job, mirror, exact)
            _fossil(job, "tarball", exact, tarball, "--name", "tree", "-R", mirror)
        outer = target.with_name(f"{target.name}.outer")
        unpack(tarball, outer, bounds=UnpackBounds(outside_links=True), name=job.label)
        inner = outer / "tree"
        inner.mkdir(exist_ok=True)  # an empty check-in
        inner.replace(target)
        return time


@contextmanager
def _mirror(job: Job, url: str, *, needed: str | None) -> Iterator[Path]:
    """The clone of a repository, with a check-in in it, or up to date when none is named."""
    mirror = job.cache.mirror("fossil", url).with_suffix(".fossil")
    with job.lock(f"fossil mirror {url}"):
        if not mirror.exists():
            _clone(job, url, mirror)
        elif needed is None or not _knows(job, mirror, needed):
            _fossil(job, "pull", "--once", url, "-R", mirror)
        yield mirror


def _clone(job: Job, url: str, mirror: Path) -> None:
    mirror.parent.mkdir(parents=True, exist_ok=True)
    with job.cache.scratch() as scratch:
        clone = scratch / "clone.fossil"
        _fossil(job, "clone", "--once", url, clone)
        clone.replace(mirror)


def _knows(job: Job, mirror: Path, name: str) -> bool:
    fossil = require_program("fossil", package="fossil", error=FetchError)
    done = job.run([fossil, "info", name, "-R", mirror], env=_environment(job), allowed=range(256))
    return done.status == 0


def _info(job: Job, mirror: Path, name: str) -> tuple[str, int]:
    said = _SAID.search(_fossil(job, "info", name, "-R", mirror).text)
    if said is None:
        raise FetchError(f"{job.label}: there is no check-in {name!r}")
    time = datetime.strptime(said[2], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return said[1], int(time.timestamp())


def _fossil(job: Job, *arguments: str | Path) -> Completed:
    fossil = require_program("fossil", package="fossil", error=FetchError)
    return job.run([fossil, *arguments], env=_environment(job))


def _environment(job: Job) -> dict[str, str]:
    """Fossil notes every repository it opens in the user's home; ours are none of its business."""
    home = job.cache.root / "mirrors" / "fossil"
    home.mkdir(parents=True, exist_ok=True)
    return {"FOSSIL_HOME": str(home), "USER": "lapstrake"}
