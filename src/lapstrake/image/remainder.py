"""What is left of a root when its packages' own files are taken away: a program of its own.

It makes the tree of an image's last layer: what no package brought, and what configuring changed
or removed of what they brought. `lapstrake.host.owned.run_module` starts it as the trees' owner,
with a file of JSON; see `Job`.
"""

# ruff: noqa: PTH115
from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.host.layer_tar import OPAQUE, WHITEOUT, Entry, merged, pattern, refuse_holes
from lapstrake.image.leftovers import APT, KEPT, NEVER, UNNEEDED
from lapstrake.image.remainder_texts import choose_alternatives, rewrite
from lapstrake.image.remainder_tree import Names, Tree, is_file, read, same

_INFO = "var/lib/dpkg/info/"
_kept = re.compile(KEPT).fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked for.

    Attributes:
        whole: trees that make up the root, lowest first; those of single packages need not be
            among them.
        packages: the trees of the image's packages, lowest first: of a folder that several have,
            the root shows the uppermost one's mode and owner.
        settled: of those, the ones whose files are in `whole`, too: what is missing there is gone.
        below: trees of the image's base OS, lowest first; empty in a minimal image.
        names: the image's packages as dpkg calls them, with and without the architecture.
        time: everything gets this time, seconds since 1970.
        target: where the tree goes.
    """

    whole: Sequence[str]
    packages: Sequence[str]
    settled: Sequence[str]
    below: Sequence[str]
    names: Sequence[str]
    time: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Views:
    """The root and the packages, by name.

    Attributes:
        whole: what the root has.
        union: what the packages have.
        disputed: folders that packages have with different modes or owners; which one an image
            shows depends on its layers' order, so the last layer says it.
        gone: what the root marks as gone.
    """

    whole: Mapping[str, Entry]
    union: Mapping[str, Entry]
    disputed: frozenset[str]
    gone: frozenset[str]


def make_remainder(job: Job) -> None:
    """Make the tree."""
    unneeded = UNNEEDED if "apt" in job.names else f"{UNNEEDED}|{APT}"
    left_out = pattern(NEVER if job.below else unneeded)
    entries = list(merged(tuple(reversed(job.whole)), "", left_out))
    refuse_holes(entries)
    union, disputed = _by_name(job.packages)
    views = _Views(
        whole={entry.name: entry for entry in entries if entry.facts is not None},
        union=union,
        disputed=disputed,
        gone=frozenset(_unmarked(entry.name) for entry in entries if entry.facts is None),
    )
    tree = Tree(Path(job.target), {**views.union, **views.whole}, time=job.time)
    if job.below:
        _fill_delta(tree, views, job)
    else:
        _fill_minimal(tree, views, job)
    for name in _missing(views, job, left_out):
        tree.mark(name)
    tree.finish()


def _by_name(trees: Sequence[str]) -> tuple[dict[str, Entry], frozenset[str]]:
    """What packages have (lowest first), and the folders that they disagree about."""
    found: dict[str, Entry] = {}
    disputed: set[str] = set()
    for tree in trees:
        for entry in merged((tree,), ""):
            lower = found.get(entry.name)
            if lower is not None and not same(entry, lower):
                disputed.add(entry.name)
            found[entry.name] = entry
    return found, frozenset(disputed)


def _unmarked(name: str) -> str:
    """What a mark of an image's layer is about; a folder's own mark keeps its last part."""
    folder, _, last = name.rpartition("/")
    if last == OPAQUE:
        return name
    last = last.removeprefix(WHITEOUT)
    return f"{folder}/{last}" if folder else last


def _fill_delta(tree: Tree, views: _Views, job: Job) -> None:
    """Over a base OS: what was written, but for what the packages' own layers have."""
    for name, entry in views.whole.items():
        other = views.union.get(name)
        if other is None or not (name.startswith(_INFO) or same(entry, other)):
            tree.add(entry)
    for name in sorted(views.disputed):
        tree.add(views.whole.get(name) or _below(name, job) or views.union[name])
    for name in sorted(views.gone - views.union.keys()):
        tree.mark(name)


def _below(name: str, job: Job) -> Entry | None:
    """What a base OS has; what is behind a link is not this name's."""
    for tree in reversed(job.below):
        path = f"{tree}/{name}"
        folder = f"/{name}".rpartition("/")[0]
        straight = os.path.realpath(tree) + folder
        if os.path.lexists(path) and os.path.realpath(tree + folder) == straight:
            return Entry(name, path, os.lstat(path))
    return None


def _fill_minimal(tree: Tree, views: _Views, job: Job) -> None:
    """Without one: only what belongs to the image's packages, or to nobody."""
    chosen = {name: views.whole[name] for name in _chosen(views, frozenset(job.names))}
    everything = {**views.union, **chosen}
    chosen_links = choose_alternatives(chosen, Names(everything, {}))
    for name in chosen_links.useless:
        chosen.pop(name, None)
        everything.pop(name, None)
    names = Names(everything, chosen_links.links)
    for name in views.disputed - chosen.keys():
        chosen[name] = views.whole.get(name) or views.union[name]
    for name, entry in chosen.items():
        if name in views.union or names.target(name) is None or names.exists(name):
            tree.add(entry, link=chosen_links.links.get(name))
    for name, text in chosen_links.texts.items():
        tree.write(name, text.encode())
    rewrite(tree, chosen, frozenset(job.names), names.exists, time=job.time)


def _chosen(views: _Views, names: frozenset[str]) -> Iterator[str]:
    """What the packages brought otherwise, and what nobody brought to where they are."""
    others = _others(views, names)
    for name, entry in views.whole.items():
        other = views.union.get(name)
        if other is not None:
            if not name.startswith(_INFO) and not same(entry, other):
                yield name
        elif (
            _kept(name)
            or _is_alias(name, entry)
            or (name not in others and _is_at_home(name, views, others))
        ):
            yield name


def _others(views: _Views, names: frozenset[str]) -> frozenset[str]:
    """The names that belong to packages which the image does not have."""
    aliases = {
        name: os.readlink(entry.path)
        for name, entry in views.whole.items()
        if entry.path and _is_alias(name, entry)
    }
    theirs: set[str] = set()
    mine: set[str] = set()
    for name, entry in views.whole.items():
        if not (name.startswith(_INFO) and name.endswith(".list") and is_file(entry)):
            continue
        found = mine if name[len(_INFO) : -len(".list")] in names else theirs
        for line in read(entry).decode("utf-8", "surrogateescape").splitlines():
            first, slash, rest = line.strip("/").partition("/")
            found.add(f"{aliases.get(first, first)}{slash}{rest}")
    return frozenset(theirs - mine - views.union.keys())


def _is_alias(name: str, entry: Entry) -> bool:
    """Whether it is a link such as ``bin -> usr/bin``."""
    return "/" not in name and entry.facts is not None and stat.S_ISLNK(entry.facts.st_mode)


def _is_at_home(name: str, views: _Views, others: frozenset[str]) -> bool:
    """Whether the nearest folder that somebody brought belongs to the image's packages.

    What is in folders of absent packages is their business (``/etc/apt``, ``/var/lib/pam``).
    """
    folder = name.rpartition("/")[0]
    while folder:
        if folder in views.union:
            return not name.startswith(_INFO)
        if folder in others:
            return False
        folder = folder.rpartition("/")[0]
    return True


def _missing(views: _Views, job: Job, left_out: Callable[[str], object] | None) -> Iterator[str]:
    """What packages brought, and the root has no longer; the uppermost names only."""
    settled, _ = _by_name(job.settled)
    told: set[str] = set()
    for name in sorted(views.union):
        if name not in views.gone:
            if name not in settled or name in views.whole or name.startswith(_INFO):
                continue
            if left_out is not None and left_out(name):
                continue
            if any(os.path.lexists(f"{tree}/{name}") for tree in job.below):
                continue
        parts = name.split("/")
        if not any("/".join(parts[:depth]) in told for depth in range(1, len(parts))):
            told.add(name)
            yield name


if __name__ == "__main__":
    make_remainder(Job(**json.loads(Path(sys.argv[1]).read_bytes())))
