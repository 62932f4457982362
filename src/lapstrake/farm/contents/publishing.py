"""Publishing what workers made: looked at as if a stranger had sent it, signed by the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lapstrake.errors import BranchError, PackError, PublishError, StoreError, UsageError
from lapstrake.farm.contents.archive_names import archive_names
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.makers import Named, check_names
from lapstrake.farm.contents.site import ArtifactSite
from lapstrake.farm.problems import NoRoom
from lapstrake.farm.values.tasks import OutputFile, Task, TaskKind
from lapstrake.formats.deb import Deb, read_deb
from lapstrake.host.files import DISK_FULL, remove_tree, temporary_name
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of

Publish = Callable[[Task, Sequence[OutputFile]], tuple[OutputFile, ...]]
"""Publishes a task's results; gives them with what became of each. Doing it twice is harmless."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_%@=,-]{0,250}\Z")
_MOST_FILES = 10_000


def publisher(place: Workplace, contents: Contents, named: Named = lambda _: "") -> Publish:
    """What the desk calls to publish.

    Args:
        place: whose branches' repositories, and whose key.
        contents: where the results' bytes are.
        named: tells what earlier tasks built.

    Returns:
        a function that raises PackError for what is no sound package, PublishError for what must
        not be, or cannot be, published, NoRoom when the disk is full; nothing is published then.
    """
    site = ArtifactSite(place.config.work_dir / "farm" / "artifacts")

    def publish(task: Task, outputs: Sequence[OutputFile]) -> tuple[OutputFile, ...]:
        check_outputs(outputs, contents)
        if not task.spec.publish:
            return tuple(outputs)
        if task.spec.kind is TaskKind.ARTIFACT:
            return site.publish(task, outputs, contents)
        return _publish_packages(place, contents, task, outputs, named)

    return publish


def check_outputs(outputs: Sequence[OutputFile], contents: Contents) -> None:
    """Make sure that results are plain files that the store has.

    Raises:
        PackError: a name is no plain name, twice there, or the bytes are missing.
    """
    names = [output.name for output in outputs]
    odd = next((name for name in names if not _NAME.match(name)), None)
    if odd is not None or len(set(names)) < len(names) or len(names) > _MOST_FILES:
        what = (
            f"{odd[:90]!r} is no file's name"
            if odd is not None
            else "names are not unique, or too many"
        )
        raise PackError(f"the worker's results cannot be taken: {what}")
    for output in outputs:
        if contents.size(output.digest) != output.size:
            raise PackError(
                f"{output.name}: its bytes are not here, or are not {output.size}",
                resolution="The worker must upload results before it tells of them.",
            )


def _publish_packages(
    place: Workplace, contents: Contents, task: Task, outputs: Sequence[OutputFile], named: Named
) -> tuple[OutputFile, ...]:
    packages = [output for output in outputs if output.name.endswith(".deb")]
    if not packages:
        return tuple(outputs)
    branch = _branch(place, task.spec.branch)
    arches = {task.spec.target or task.spec.arch or place.config.arch.value, "all"}
    scratch = temporary_name(contents.scratch / "publish")
    try:
        scratch.mkdir(mode=0o700)
        files = [_laid_out(scratch, output, contents) for output in packages]
        debs = [read_deb(file) for file in files]
        for deb in debs:
            check_package(deb, arches)
        repository = repository_of(place, branch)
        check_names(
            task,
            [deb.package for deb in debs],
            contents=contents,
            limit=place.config.farm.bundle_limit,
            published=repository.packages(),
            named=named,
            archived=partial(archive_names, place, branch),
        )
        published = repository.publish(files, f"task-{task.id}")
        done = {
            output.name: f"{result.path.name} ({result.action})"
            for output, result in zip(packages, published, strict=True)
        }
    except StoreError as full:
        raise NoRoom(full.brief, resolution=full.resolution) from full
    except OSError as refused:
        if refused.errno not in DISK_FULL:
            raise
        raise NoRoom(
            "the server's disk is full", resolution="Make room on the server."
        ) from refused
    finally:
        remove_tree(scratch)
    return tuple(replace(output, published=done.get(output.name, "")) for output in outputs)


def _branch(place: Workplace, name: str) -> BranchName:
    """The branch, if it still is one."""
    try:
        branch = BranchName(name)
        place.config.branch(branch)
    except (UsageError, BranchError) as gone:
        raise PublishError(
            f"there is no branch {name!r} any more", resolution="Add it again, then retry the task."
        ) from gone
    return branch


def _laid_out(folder: Path, output: OutputFile, contents: Contents) -> Path:
    """A result under its own name."""
    file = folder / output.name
    file.hardlink_to(contents.path(output.digest))
    return file


def check_package(deb: Deb, arches: set[str]) -> None:
    """Make sure that a package is what its file's name and its task say.

    Args:
        deb: the package.
        arches: that the task builds for.

    Raises:
        PublishError: it is another one.
    """
    version = deb.version.partition(":")[2] or deb.version
    expected = f"{deb.package}_{version}_{deb.architecture}.deb"
    # AOSC's files always name a revision; none and 0 are the same (deb-version(7)).
    with_revision = f"{deb.package}_{version}-0_{deb.architecture}.deb"
    if deb.path.name not in {expected, with_revision}:
        raise PublishError(
            f"{deb.path.name} is no name for a package that is {expected} inside",
            resolution="Nothing is published: look at the worker.",
        )
    if deb.architecture not in arches:
        raise PublishError(
            f"{deb.path.name} is for {deb.architecture}, and the task builds for "
            f"{', '.join(sorted(arches - {'all'}))}",
            resolution="Nothing is published: look at the worker.",
        )
