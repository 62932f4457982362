"""Which packages a task may publish: its bundle's, and none that are another bundle's.

A worker says what it has made, and is not to be believed: a package called ``libc6`` that is newer
than the real one would be installed by everybody who uses the branch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from lapstrake.errors import PublishError
from lapstrake.farm.contents import bundles
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.problems import Invalid, Unknown
from lapstrake.farm.values.tasks import Task
from lapstrake.formats.aptindex import IndexEntry

Named = Callable[[int], str]
"""The name of what a task built; empty when nobody knows any more."""

Archived = Callable[[str], frozenset[str]]
"""The packages that a task's source makes; see `lapstrake.farm.contents.archive_names`."""

_BUILD = re.compile(r"task-(\d+)\Z")
_DEBUG = ("-dbgsym", "-dbg")
_ADVICE = "Nothing is published. Look at the worker that built it, and at the bundle."


def check_names(
    task: Task,
    packages: Iterable[str],
    *,
    contents: Contents,
    limit: int,
    published: Sequence[IndexEntry],
    named: Named,
    archived: Archived = lambda _: frozenset(),
) -> None:
    """Refuse packages that are none of a task's bundle.

    What an uploaded bundle makes can be read in it, mostly, and the archive says it of its source
    packages. Of sources that only the worker has seen, nothing is known: those get no name that
    another bundle's task has published.

    Args:
        task: whose results they are.
        packages: their names.
        contents: has the bundle, if it was uploaded.
        limit: bytes that it may become when it is unpacked.
        published: what the branch's repository has.
        named: tells what earlier tasks built.
        archived: tells what a source package of the branch's archive makes.

    Raises:
        PublishError: one is not for this task to publish.
        Unavailable: the archive does not answer.
    """
    declared = _declared(task, contents, limit) or archived(task.spec.source)
    for package in packages:
        if declared and _without_debug(package) not in declared:
            raise PublishError(
                f"{package} is none of the packages that the bundle says it makes: "
                f"{', '.join(sorted(declared)[:10])}",
                resolution=_ADVICE,
            )
        if not declared:
            _check_maker(task, package, published, named)


def _check_maker(task: Task, package: str, published: Sequence[IndexEntry], named: Named) -> None:
    """Refuse a name under which only other bundles have published."""
    builds = [_BUILD.match(entry.build) for entry in published if entry.package == package]
    makers = {named(int(build[1])) for build in builds if build} - {""}
    if makers and _plain(task.spec.name) not in {_plain(maker) for maker in makers}:
        raise PublishError(
            f"{package} is a package of {', '.join(sorted(makers))}, "
            f"and this task builds {task.spec.name}",
            resolution=f"{_ADVICE} If the package has moved, upload the source: then the server "
            "can see what it makes.",
        )


def _declared(task: Task, contents: Contents, limit: int) -> frozenset[str]:
    """The packages that a task's bundle says it makes; empty when that is not known here."""
    spec = task.spec
    if not spec.bundle or spec.profiles:
        return frozenset()
    try:
        with bundles.opened(contents, spec.bundle, limit=limit, name=spec.name) as folder:
            found = bundles.read_bundle(bundles.find_bundle(folder), spec.target or spec.arch)
    except (Invalid, Unknown):
        return frozenset()
    return frozenset(found.provides) if found else frozenset()


def _without_debug(package: str) -> str:
    for ending in _DEBUG:
        package = package.removesuffix(ending)
    return package


def _plain(name: str) -> str:
    """A bundle's name, however the task came by it: ``apt:jq=1.6`` and ``utils/jq`` are ``jq``."""
    return name.removeprefix("apt:").partition("=")[0].rpartition("/")[2]
