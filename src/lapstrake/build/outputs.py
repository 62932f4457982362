"""What a build left: taken out as data, checked, compared, published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lapstrake.build.buildroot import BUILDROOT
from lapstrake.build.record import Output
from lapstrake.bundle.base import Bundle
from lapstrake.errors import PackError, ReproduceError, RunnerError
from lapstrake.host import files
from lapstrake.repository.flat import Repository
from lapstrake.repository.shelf import file_sum
from lapstrake.runner.base import Session

_PACKAGES = frozenset({".deb"})


def take(session: Session, target: Path) -> None:
    """Copy what a build left in its output folder, as data.

    Raises:
        PackError: the folder is something else, or holds what cannot be taken.
    """
    try:
        session.get(BUILDROOT / "output", target)
    except (RunnerError, OSError) as hostile:
        if isinstance(hostile, OSError) and hostile.errno in files.DISK_FULL:
            raise  # that is no fault of the build
        what = hostile.brief if isinstance(hostile, RunnerError) else hostile
        raise PackError(
            f"the build's output cannot be taken: {what}",
            resolution=f"Leave readable, regular files in {BUILDROOT / 'output'}.",
        ) from hostile


def collect(folder: Path, bundle: Bundle) -> tuple[Path, ...]:
    """The files a build left in a folder that was copied out of its root.

    Raises:
        PackError: there is no package, and the bundle does not say that there is none.
    """
    found = tuple(sorted(file for file in folder.rglob("*") if file.is_file()))
    if bundle.makes_packages and not any(file.suffix in _PACKAGES for file in found):
        raise PackError(
            f"{bundle.name} was built, but there is no package",
            details="in its output: " + (", ".join(file.name for file in found) or "nothing"),
            resolution="The bundle must leave .deb files in its output folder.",
        )
    return found


def describe(found: Sequence[Path]) -> tuple[Output, ...]:
    """Name, size and SHA-256 of files."""
    return tuple(
        Output(name=file.name, size=file.stat().st_size, sha256=file_sum(file)) for file in found
    )


def publish(
    repository: Repository, found: Sequence[Path], outputs: Sequence[Output], build_id: str
) -> tuple[Output, ...]:
    """Put the packages into the branch's repository, all in one step."""
    packages = [file for file in found if file.suffix in _PACKAGES]
    if not packages:
        return tuple(outputs)
    done = {
        result.path.name: f"{result.action}: {result.reason}"
        for result in repository.publish(packages, build_id)
    }
    return tuple(replace(output, published=done.get(output.name, "")) for output in outputs)


def keep_others(found: Sequence[Path], folder: Path) -> None:
    """Keep what is no package (``.changes``, ``.buildinfo``, plain results) beside the record."""
    others = [file for file in found if file.suffix not in _PACKAGES]
    if others:
        keep_all(others, folder)


def keep_all(found: Sequence[Path], folder: Path) -> None:
    """Keep everything, for somebody who publishes it elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in found:
        files.copy_tree(file, folder / file.name)


def compare(first: Sequence[Output], second: Sequence[Output]) -> None:
    """Compare two builds of the same inputs.

    Raises:
        ReproduceError: a file differs, or is only in one of them; the details name each.
    """
    one, other = ({output.name: output.sha256 for output in build} for build in (first, second))
    differing = [
        f"{name}: {one.get(name, 'missing')[:16]} and {other.get(name, 'missing')[:16]}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name) and not name.endswith((".buildinfo", ".changes"))
    ]
    if differing:
        raise ReproduceError(
            "a second build of the same inputs made different bytes",
            details="\n".join(differing),
            resolution="Compare the packages, for example with diffoscope.",
        )
