"""A branch's own plan: learnt from the index of its archive at its first image, and then kept.

It names packages, no versions, so that next week's updates do not change which packages share a
layer; and it is learnt again only when somebody asks for it, or the branch is of another release.
"""

from __future__ import annotations

import gzip
import json
import lzma
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import log
from pathlib import Path

from lapstrake.branch.instance import Branch, current_branch
from lapstrake.compose.closure import read_status
from lapstrake.compose.status import parse_status
from lapstrake.compose.view import View
from lapstrake.config.model import Config
from lapstrake.errors import BranchError
from lapstrake.grouping.archive import Archive, read_archive
from lapstrake.grouping.plan import VERSION, render_plan
from lapstrake.grouping.sample import SHELL, Habits
from lapstrake.grouping.study import study_archive
from lapstrake.host import files
from lapstrake.host.confined import read_confined, walk_confined
from lapstrake.names import BranchName
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of

POPULARITY = "popularity"
"""What the table of popularity is kept as, beside the plans."""

_BUDGETS = (10, 20, 40, 64, 94, 125)
_ON_BASE = "-base"
_LISTS = "var/lib/apt/lists"
_HABITS = Habits(essential=False, shell=(*SHELL, "dash"))  # noqa: S604 - a set of packages
_LIST = re.compile(r"_Packages(\.[a-z0-9]+)?\Z")
_LARGEST_LIST = 1 << 30
_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": gzip.decompress, ".xz": lzma.decompress
}  # fmt: skip
"""What else there is (``.lz4``), apt must read: it is there, and can."""

_SUITE = re.compile(r".*/dists/(.+)/(?:In)?Release\Z")


def kept_name(budget: int, *, base: bool = False) -> str:
    """What a plan is kept as: it is for the nearest of a few budgets.

    Args:
        budget: the most layers of an image.
        base: whether it is on the base OS, and so has none of that one's packages.

    >>> kept_name(94), kept_name(18), kept_name(1, base=True)
    ('94', '20', '10-base')
    """
    nearest = min(_BUDGETS, key=lambda known: abs(log(known / budget)))
    return f"{nearest}{_ON_BASE if base else ''}"


def find_kept(place: Workplace, branch: BranchName, name: str) -> Path | None:
    """The file of a plan (or of the popularity) for the release that a branch is of, if kept."""
    for release in _releases(place, branch):
        file = _file(place, branch, release, name)
        if file.exists():
            return file
    return None


def kept_names(place: Workplace, branch: BranchName) -> tuple[str, ...]:
    """All that is kept for a branch's release."""
    names = [kept_name(budget, base=base) for base in (False, True) for budget in _BUDGETS]
    names.append(POPULARITY)
    return tuple(name for name in names if find_kept(place, branch, name))


def ensure_kept(place: Workplace, branch: BranchName, name: str) -> Path:
    """Get the file of a plan (or of the popularity); it is learnt when it is not there.

    Raises:
        BranchError: the branch has no instance, or its archive no index.
    """
    with place.lock(f"plan-{branch}", what=f"the plan of {branch}"):
        found = find_kept(place, branch, name)
        if found is not None:
            return found
        place.progress.headline(f"learning how to group the packages of {branch}: once")
        standing = standing_branch(place, branch)
        archive, release = read_index(place, standing)
        content = learn(place, standing, archive, name)
        return keep(place, branch, release, {name: content})[0]


def keep(
    place: Workplace, branch: BranchName, release: str, contents: Mapping[str, bytes]
) -> list[Path]:
    """Keep plans (or popularity) for a branch and its release, by their names."""
    kept = []
    for name, content in contents.items():
        file = _file(place, branch, release, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(file, content)
        kept.append(file)
    return kept


def learn(
    place: Workplace,
    branch: Branch,
    archive: Archive,
    name: str,
    popularity: Mapping[str, float] | None = None,
) -> bytes:
    """Learn what is kept under a name.

    Args:
        place: its configuration says what every image has.
        branch: the branch.
        archive: its index.
        name: one of `kept_names`.
        popularity: how popular packages are; without it, by how many others need them.
    """
    if name != POPULARITY:
        budget, base, _ = name.partition(_ON_BASE)
        plan = study_archive(
            archive,
            budgets=(int(budget),),
            popularity=popularity,
            habits=habits_of(place.config),
            without=_names_below(branch) if base else frozenset(),
        )
        return render_plan(plan)
    table = archive.popularity() if popularity is None else popularity
    told = {label: count for label, count in sorted(table.items()) if count > 1}
    return (json.dumps(told, separators=(",", ":")) + "\n").encode()


def habits_of(config: Config) -> Habits:
    """What images are like that people ask us for."""
    return replace(_HABITS, always=config.images.always)


def read_index(place: Workplace, branch: Branch) -> tuple[Archive, str]:
    """Read the index of a branch's archives; its own repository is not among them.

    Returns:
        the packages, and the name of the release that has the most of them.

    Raises:
        BranchError: there is none.
    """
    texts = dict(_texts(place, branch))
    if not texts:
        raise BranchError(
            f"{branch.name} has no index of packages to learn from",
            resolution=f"Run `lapstrake branch refresh {branch.name}`.",
        )
    largest = max(texts, key=lambda list_: (len(texts[list_]), list_))
    releases = _releases(place, branch.name)
    longest_first = sorted(releases, key=lambda release: (-len(release), release))
    of = (release for release in longest_first if f"_dists_{release}_" in largest)
    return read_archive(texts.values()), next(of, releases[0])


def standing_branch(place: Workplace, name: BranchName) -> Branch:
    """A branch as it stands.

    Raises:
        BranchError: it has no instance yet.
    """
    branch = current_branch(place, name)
    if branch is None:
        raise BranchError(
            f"the branch {name} has no instance",
            resolution=f"Run `lapstrake branch refresh {name}`.",
        )
    return branch


def _names_below(branch: Branch) -> frozenset[str]:
    """What the base OS and the branch itself have."""
    return frozenset(stanza.name for stanza in parse_status(read_status(branch.layers)))


def _releases(place: Workplace, branch: BranchName) -> tuple[str, ...]:
    """The suites of a branch, as their names stand in the names of files."""
    current = StateFiles(place.private).branch(branch).current
    urls = current.releases if current else ()
    found = {match[1] for match in map(_SUITE.match, urls) if match}
    return tuple(sorted(re.sub(r"[^A-Za-z0-9.+~-]", "_", suite) for suite in found)) or ("none",)


def _file(place: Workplace, branch: BranchName, release: str, name: str) -> Path:
    """A clean-up does not take it: learnt from a later index it would be another one."""
    return (
        place.config.work_dir
        / "plans"
        / f"{branch}-{place.config.arch}-{release}-{name}.v{VERSION}.json"
    )


def _texts(place: Workplace, branch: Branch) -> Iterator[tuple[str, str]]:
    """The lists of packages in a branch's root, by their files' names."""
    for layer in reversed(branch.layers):
        # Not deep: in a rootless store one of the folders beside the lists is closed to us.
        entries = walk_confined(layer.tree, _LISTS, deep=False, error=BranchError)
        paths = [entry.path for entry in entries if _LIST.search(entry.path.name)]
        if paths:
            break
    strange = []
    for path in paths:
        unpack = _UNPACK.get(path.name.rpartition("_Packages")[2])
        if unpack is None:
            strange.append(path.name)
            continue
        data = read_confined(layer.tree, path, limit=_LARGEST_LIST, error=BranchError) or b""
        yield path.name, unpack(data).decode("utf-8", "replace")
    if strange:
        view = View(place=place, branch=branch, repository=repository_of(place, branch.name))
        with view.ask("index") as apt:
            for name in strange:
                data = apt.run(("/usr/lib/apt/apt-helper", "cat-file", f"/{_LISTS}/{name}"))
                yield name, data.decode("utf-8", "replace")
