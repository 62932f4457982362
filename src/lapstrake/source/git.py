"""Check out from git: bare mirrors, shallow where that is enough, nothing of theirs is run.

Commands that talk to a server see the user's own configuration, for credentials; those that write
the tree see none, so the tree is the same everywhere. Hooks are off, other transports than those
named here are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lapstrake.errors import FetchError
from lapstrake.host.process import Completed, require_program
from lapstrake.source.git_submodules import Submodule, pair, parse_gitlinks, parse_gitmodules
from lapstrake.source.job import CancelledError, Job, Stage
from lapstrake.source.repository_url import check_url
from lapstrake.source.revision import Revision
from lapstrake.source.spec import Submodules

_FULL_HASH = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_SHORT_HASH = re.compile(r"[0-9a-f]{7,63}\Z")
_PROTOCOLS = "http:https:git:ssh"
_DEEPEST = 16
_OPTIONS = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0",
    "-c", "maintenance.auto=false", "-c", "fetch.recurseSubmodules=false",
    "-c", "protocol.ext.allow=never", "-c", "advice.detachedHead=false",
)  # fmt: skip
_LOCAL_OPTIONS = (
    *_OPTIONS, "-c", "core.autocrlf=false", "-c", "core.symlinks=true", "-c", "core.bare=false",
    "-c", "safe.directory=*",
)  # fmt: skip
_LOCAL = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0",
}  # fmt: skip


class Git:
    """git, see gitrevisions(7) for what a revision may be."""

    def is_exact(self, revision: str) -> bool:
        """Whether it is a whole hash."""
        return bool(_FULL_HASH.match(revision))

    def identify(self, job: Job, url: str, name: str) -> Revision:
        """Ask the server for a tag or a branch; the beginning of a hash needs the whole history."""
        refs = _possible_refs(name)
        done = _remote(job, url, "ls-remote", "--", url, *refs, *(f"{ref}^{{}}" for ref in refs))
        lines = [line.partition("\t") for line in done.text.splitlines()]
        found = {ref: commit for commit, _, ref in lines}
        for ref in refs:
            # What a tag object points to is listed as its name with ^{}.
            if exact := found.get(f"{ref}^{{}}") or found.get(ref):
                return Revision(exact=exact, moves=not ref.startswith("refs/tags/"))
        if _SHORT_HASH.match(name):
            mirror = _mirror_with(job, url, None)
            done = _local(job, mirror, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}",
                          allowed=(0, 1, 128))  # fmt: skip
            if done.status == 0:
                return Revision(exact=done.text.strip(), moves=False)
        raise FetchError(
            f"{job.label}: {url} has no commit, tag or branch {name!r}",
            resolution="Check the revision: git ls-remote shows the tags and branches.",
        )

    def export(self, job: Job, url: str, exact: str, target: Path) -> int:
        """Write a commit's tree, submodules in their places."""
        mirror = _mirror_with(job, url, exact, whole=job.spec.keep_repository)
        if job.spec.keep_repository:
            _clone(job, mirror, url, exact, target)
        else:
            _write_tree(job, mirror, exact, target)
        if job.spec.submodules is not Submodules.NONE:
            _write_submodules(job, mirror, url, exact, target, depth=1)
        return int(_local(job, mirror, "log", "-1", "--format=%ct", exact).text)


def _possible_refs(name: str) -> tuple[str, ...]:
    """The refs a name may mean, in git's order of preference."""
    if name == "HEAD" or name.startswith("refs/"):
        return (name,)
    branch = name.removeprefix("origin/")
    return (f"refs/{name}", f"refs/tags/{name}", f"refs/heads/{branch}")


def _remote(job: Job, url: str, *arguments: str | Path) -> Completed:
    """Run git for something that talks to a server."""
    git = require_program("git", package="git", error=FetchError)
    # Only who names a repository of this host may read repositories of this host.
    local = url.startswith(("file:", "/"))
    environment = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": f"{_PROTOCOLS}:file" if local else _PROTOCOLS,
    }
    slow = f"http.lowSpeedTime={job.rules.timeout:.0f}"
    argv: list[str | Path] = [git, *_OPTIONS, "-c", "http.lowSpeedLimit=1", "-c", slow, *arguments]
    return job.run(argv, env=environment)


def _local(
    job: Job, mirror: Path, *arguments: str | Path, allowed: Sequence[int] = (0,)
) -> Completed:
    """Run git on a mirror, without the user's configuration."""
    git = require_program("git", package="git", error=FetchError)
    argv: list[str | Path] = [git, *_LOCAL_OPTIONS, "--git-dir", mirror, *arguments]
    return job.run(argv, env=_LOCAL, allowed=allowed)


def _mirror_with(job: Job, url: str, commit: str | None, *, whole: bool = False) -> Path:
    """The mirror of a repository, with a commit in it.

    Args:
        job: the source.
        url: the repository.
        commit: a whole hash; ``None`` for all there is.
        whole: with all of its history.
    """
    mirror = job.cache.mirror("git", url)
    with job.lock(f"git mirror {url}"):
        _prepare(job, mirror)
        if commit is not None and _has(job, mirror, commit, whole=whole):
            return mirror
        if commit is not None and not whole and _is_young(mirror):
            try:
                _fetch(job, mirror, url, "--depth=1", f"+{commit}:refs/lapstrake/{commit}")
            except CancelledError:
                raise
            except FetchError as refused:
                # Old servers give only what a name points to; plain web servers cannot be shallow.
                job.tell(Stage.RETRY, f"{refused.brief}: fetching the whole history")
            else:
                return mirror
        _fetch_all(job, mirror, url)
        if commit is not None and not _has(job, mirror, commit, whole=whole):
            _fetch(job, mirror, url, f"+{commit}:refs/lapstrake/{commit}")
    return mirror


def _prepare(job: Job, mirror: Path) -> None:
    """Make an empty mirror, or tidy up one whose last user was killed; the caller has its lock."""
    if mirror.exists():
        for stale in (*mirror.glob("*.lock"), *mirror.glob("refs/**/*.lock")):
            stale.unlink(missing_ok=True)
        return
    git = require_program("git", package="git", error=FetchError)
    mirror.parent.mkdir(parents=True, exist_ok=True)
    with job.cache.scratch() as scratch:
        argv: list[str | Path] = [git, *_LOCAL_OPTIONS, "init", "--quiet", "--bare", "--template="]
        job.run([*argv, scratch / "bare"], env=_LOCAL)
        (scratch / "bare").replace(mirror)


def _has(job: Job, mirror: Path, commit: str, *, whole: bool) -> bool:
    if whole and (mirror / "shallow").exists():
        return False
    return (
        _local(job, mirror, "cat-file", "-e", f"{commit}^{{commit}}", allowed=(0, 1, 128)).status
        == 0
    )


def _is_young(mirror: Path) -> bool:
    """Whether a mirror holds single commits only: fetching shallow would cut a whole history."""
    return (mirror / "shallow").exists() or not (mirror / "lapstrake-whole").exists()


def _fetch_all(job: Job, mirror: Path, url: str) -> None:
    unshallow = ["--unshallow"] if (mirror / "shallow").exists() else []
    _fetch(job, mirror, url, *unshallow, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    (mirror / "lapstrake-whole").touch()


def _fetch(job: Job, mirror: Path, url: str, *arguments: str) -> None:
    options = [word for word in arguments if word.startswith("--")]
    refs = [word for word in arguments if not word.startswith("--")]
    _remote(
        job, url, "--git-dir", mirror, "fetch", "--quiet", "--force", "--no-tags",
        "--no-write-fetch-head", "--update-head-ok", *options, "--", url, *refs,
    )  # fmt: skip


def _write_tree(job: Job, mirror: Path, commit: str, target: Path) -> None:
    """Write the files of a commit: not by ``git archive``, which leaves out and rewrites some."""
    target.mkdir(parents=True, exist_ok=True)
    git = require_program("git", package="git", error=FetchError)
    index = target.with_name(f"{target.name}.index")
    environment = {**_LOCAL, "GIT_INDEX_FILE": str(index)}
    base: list[str | Path] = [git, *_LOCAL_OPTIONS, "--git-dir", mirror, "--work-tree", target]
    job.run([*base, "read-tree", commit], env=environment)
    job.run([*base, "checkout-index", "--all", "--force"], env=environment, cwd=target)
    index.unlink(missing_ok=True)


def _clone(job: Job, mirror: Path, url: str, commit: str, target: Path) -> None:
    """Write the files of a commit with a repository of their own, as ``git describe`` needs it."""
    git = require_program("git", package="git", error=FetchError)
    base: list[str | Path] = [git, *_LOCAL_OPTIONS]
    job.run(
        [*base, "clone", "--quiet", "--no-hardlinks", "--no-checkout", "--template=", "--", mirror,
         target],
        env=_LOCAL,
    )  # fmt: skip
    job.run([*base, "-C", target, "remote", "set-url", "origin", url], env=_LOCAL)
    job.run([*base, "-C", target, "checkout", "--quiet", "--detach", commit], env=_LOCAL)


def _write_submodules(
    job: Job, mirror: Path, url: str, commit: str, target: Path, *, depth: int
) -> None:
    """Write each submodule's files where its commit is linked."""
    for module in _submodules(job, mirror, url, commit):
        place = target / module.path
        if depth > _DEEPEST or not place.resolve().is_relative_to(target.resolve()):
            raise FetchError(f"{job.label}: the submodule {module.path!r} cannot be placed")
        inner, found = _submodule_mirror(job, url, module)
        _write_tree(job, inner, module.commit, place)
        if job.spec.submodules is Submodules.RECURSIVE:
            _write_submodules(job, inner, found, module.commit, place, depth=depth + 1)


def _submodule_mirror(job: Job, parent: str, module: Submodule) -> tuple[Path, str]:
    complaints: list[FetchError] = []
    for url in job.rules.candidates(module.url):
        check_url(job, url)
        if (
            url == module.url
            and url.startswith(("file:", "/"))
            and not parent.startswith(("file:", "/"))
        ):
            raise FetchError(
                f"{job.label}: the submodule {module.path!r} names a repository of this host, {url}"
            )
        try:
            return _mirror_with(job, url, module.commit), module.url
        except CancelledError:
            raise
        except FetchError as complaint:
            complaints.append(complaint)
    raise FetchError(
        f"{job.label}: the submodule {module.path!r} could not be fetched",
        details="\n\n".join(str(complaint) for complaint in complaints),
        resolution="Set submodule=false if the build does not need it, or add a mirror.",
    )


def _submodules(job: Job, mirror: Path, url: str, commit: str) -> tuple[Submodule, ...]:
    links = parse_gitlinks(_local(job, mirror, "ls-tree", "-r", "-z", commit).stdout)
    if not links:
        return ()
    listing = _local(
        job, mirror, "config", "--blob", f"{commit}:.gitmodules", "--list", "-z",
        allowed=(0, 1, 128),
    )  # fmt: skip
    found, missing = pair(links, parse_gitmodules(listing.stdout), parent=url)
    for path in missing:
        job.tell(Stage.WARNING, f"{job.label}: .gitmodules does not say where {path!r} comes from")
    return found
