"""Getting the artifacts of a project: all that can be had are had, and what cannot is explained."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from lapstrake.artifact.base import Package, Project
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.getting.found import Got, Missing, here
from lapstrake.artifact.keeping.status import Status, status_of
from lapstrake.artifact.sites.base import Terms
from lapstrake.errors import ArtifactError
from lapstrake.progress import Progress
from lapstrake.source.rules import Rewrite

_AT_A_TIME = 4


def terms_of(
    depot: Depot,
    *,
    offline: bool = False,
    on_bytes: Callable[[int, int], None] = lambda _done, _total: None,
) -> Terms:
    """How sites are asked, by the configuration.

    Args:
        depot: whose configuration and environment.
        offline: ask no network, whatever the configuration says.
        on_bytes: see `Terms`.
    """
    config = depot.config.artifacts
    return Terms(
        environment=depot.environment,
        offline=offline or config.offline,
        rewrites=tuple(
            Rewrite(prefix=rule.prefix, to=rule.replacements) for rule in depot.config.rewrites
        ),
        timeout=config.timeout,
        retries=config.retries,
        trusted=config.trusted,
        on_bytes=on_bytes,
    )


def choose(project: Project, names: Sequence[str]) -> tuple[Package, ...]:
    """Find packages by their names; all that have artifacts, when there are none.

    Raises:
        UsageError: there is no such package, or it has no artifact.
    """
    if names:
        wanted = [project.named(name) for name in names]
        return tuple(each for each in project.packages if each in wanted)
    return tuple(each for each in project.packages if not each.type.is_platform)


def get_each(
    project: Project,
    packages: Sequence[Package],
    depot: Depot,
    terms: Terms,
    progress: Progress,
) -> tuple[Got | Missing, ...]:
    """Get several artifacts, a few at a time; one that is missing keeps none of the others back.

    Args:
        project: the project.
        packages: some of its packages; no platforms.
        depot: where artifacts are.
        terms: how sites are asked.
        progress: hears what is asked, and of what is broken.

    Returns:
        what came of each, in the same order.

    Raises:
        ArtifactError: one cannot be kept; or a variable names something that cannot be used.
        StoreError: the disk is full. The others were got, if they could be.
    """
    statuses = [status_of(project, package, depot) for package in packages]
    found = {status.package.name: here(status) for status in statuses}
    absent = [status for status in statuses if found[status.package.name] is None]
    fetched = _fetch_all(absent, depot, terms, progress) if absent else {}
    return tuple(found[each.name] or fetched[each.name] for each in packages)


def check_found(
    found: Sequence[Got | Missing],
    depot: Depot,
    progress: Progress,
    *,
    named: bool = False,
    offline: bool = False,
) -> None:
    """See that nothing is missing.

    Args:
        found: what came of looking.
        depot: where artifacts are.
        progress: hears of packages without any site that can be built: those may be missing.
        named: whether the packages were asked for by name; then none may be missing.
        offline: whether no network was asked.

    Raises:
        ArtifactError: some are nowhere; it tells what was tried for each, and what to do.
    """
    missing = [each for each in found if isinstance(each, Missing)]
    for each in missing:
        if not named and each.only_built:
            progress.warning(f"{each.package.name} has no sites: it can only be built")
    wanted = [each for each in missing if named or not each.only_built]
    if wanted:
        raise _explain(wanted, depot, offline=offline)


def _explain(missing: Sequence[Missing], depot: Depot, *, offline: bool) -> ArtifactError:
    """The error that tells, for each artifact, where it is not, and what to do."""
    names = [each.package.name for each in missing]
    buildable = [each.package.name for each in missing if each.package.platform]
    ways = [f"build with `lapstrake artifact build {' '.join(buildable)}`"] if buildable else []
    ways += ["leave --offline out"] if offline else []
    files = ", ".join(each.identity.file_name for each in missing)
    ways += [f"put {files} into {depot.downloads}"]
    advice = ", or ".join(ways)
    return ArtifactError(
        f"nowhere to be had: {', '.join(names)}",
        details="\n".join(_tale(each) for each in missing),
        resolution=f"{advice[0].upper()}{advice[1:]}.",
    )


def _tale(missing: Missing) -> str:
    lines = [f"  {tried.where}: {tried.said}" for tried in missing.tried]
    return "\n".join([f"{missing.identity.file_name}:", *(lines or ["  it has no sites"])])


def _fetch_all(
    absent: Sequence[Status], depot: Depot, terms: Terms, progress: Progress
) -> dict[str, Got | Missing]:
    """Fetch in threads; by the packages' names."""
    # Not at start-up: that all is kept must be told at once, and logging comes with it.
    from concurrent.futures import ThreadPoolExecutor, wait

    from lapstrake.artifact.getting.fetch import fetch

    tally = Tally(terms)
    with ThreadPoolExecutor(max_workers=min(_AT_A_TIME, len(absent))) as pool:
        futures = {
            status.package.name: pool.submit(
                fetch, status, depot, tally.terms_for(status.package.name), progress
            )
            for status in absent
        }
        try:
            wait(futures.values())
        finally:
            # When we are interrupted, whoever is still at it must not keep us.
            if not all(future.done() for future in futures.values()):
                terms.cancelled.cancel()
                pool.shutdown(wait=True, cancel_futures=True)
            terms.web.close()
    return {name: future.result() for name, future in futures.items()}


class Tally:
    """The bytes of several downloads at once, told as one sum.

    Args:
        terms: whose listener is told.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, int]] = {}

    def terms_for(self, name: str) -> Terms:
        """The terms for one of the downloads, whose bytes are counted."""

        def tell(done: int, total: int) -> None:
            if self._terms.cancelled.is_set():
                from lapstrake.source.job import CancelledError

                raise CancelledError(f"{name}: given up")
            with self._lock:
                self._counts[name] = (done, total)
                counts = self._counts.values()
                sums = sum(done for done, _ in counts), sum(max(both) for both in counts)
            self._terms.on_bytes(*sums)

        return replace(self._terms, on_bytes=tell)
