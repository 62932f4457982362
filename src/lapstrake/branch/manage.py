"""Branches as a whole: what there are, adding one, removing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.branch.cleanup import forget_branch, refuse_used
from lapstrake.branch.draft import Drafts
from lapstrake.branch.instance import refresh_reason, staleness
from lapstrake.config.branches import all_branches, built_in_list, one_branch, usable_branches
from lapstrake.config.edit import replace_file
from lapstrake.config.model import Config
from lapstrake.config.places import LISTS_NAME, host_codename
from lapstrake.errors import BranchError, ConfigError
from lapstrake.formats.sources_list import (
    ListStyle,
    SourceEntry,
    SourceList,
    index_urls,
    parse,
    render,
)
from lapstrake.host import files
from lapstrake.layer.store import Layer
from lapstrake.names import BranchName
from lapstrake.place import freshness
from lapstrake.place.state import Draft, Instance, StateFiles
from lapstrake.place.workplace import Workplace
from lapstrake.repository.generation import load_generation


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFacts:
    """How a branch stands.

    Attributes:
        name: its name.
        listed: where its source list is.
        stale: why its next build makes a new instance; empty when it does not.
        instance: the instance in force, if any.
        size: bytes of the instance's layer.
        packages: how many packages its repository holds.
        draft: its draft, if any.
        draft_size: bytes of the draft.
    """

    name: BranchName
    listed: str
    stale: str
    instance: Instance | None
    size: int
    packages: int
    draft: Draft | None
    draft_size: int


def list_branches(
    place: Workplace, *, look: bool = False
) -> tuple[tuple[BranchFacts, ...], Mapping[str, ConfigError]]:
    """All branches of the configuration, sorted by name.

    Args:
        place: where.
        look: ask upstream, too, whether anything is new.

    Returns:
        the branches, and what is wrong with the lists of others, by their names.

    Raises:
        ConfigError: the folder of lists cannot be read.
    """
    loaded = StateFiles(place.private).base()
    base = place.store.find(loaded.key) if loaded else None
    branches, wrong = usable_branches(place.config.folder)
    facts = (_facts(place, name, listed, base, look=look) for name, listed in branches.items())
    return tuple(facts), wrong


def _facts(
    place: Workplace, name: BranchName, listed: SourceList, base: Layer | None, *, look: bool
) -> BranchFacts:
    instance = StateFiles(place.private).branch(name).current
    layer = place.store.find(instance.layer) if instance else None
    stale = staleness(place, listed, base, instance)
    drafts = Drafts(place)
    return BranchFacts(
        name=name,
        listed=listed.origin,
        stale=refresh_reason(place, name, refresh=True) if look and not stale else stale,
        instance=instance,
        size=layer.size if layer else 0,
        packages=len(load_generation(place.output(name)).entries),
        draft=drafts.find(name),
        draft_size=drafts.size(name),
    )


def add_branch(folder: Path, name: BranchName, listed: SourceList) -> Path:
    """Write a new branch's source list.

    Args:
        folder: the folder of configuration.
        name: the branch.
        listed: its list.

    Returns:
        the file.

    Raises:
        BranchError: there is such a branch already.
    """
    if name in all_branches(folder):
        raise BranchError(
            f"there is a branch {str(name)!r} already",
            resolution=f"Edit {one_branch(folder, name).origin}; the next build follows.",
        )
    file = folder / LISTS_NAME / f"{name}.{listed.style}"
    replace_file(file, listed.text)
    return file


def list_from_file(file: Path) -> SourceList:
    """Read a list to make a branch of; by its suffix, else by its looks.

    Raises:
        ConfigError: it cannot be read, or is wrong.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as refused:
        reason = getattr(refused, "strerror", None) or "this is not UTF-8"
        raise ConfigError(f"{file}: {reason}") from refused
    looks = ListStyle.DEB822 if "\nURIs:" in f"\n{text}" else ListStyle.ONE_LINE
    style = ListStyle.of(file) or looks
    entries = parse(text, origin=str(file), style=style)
    if not entries:
        raise ConfigError(f"{file} lists no sources", resolution="See sources.list(5).")
    return SourceList(entries=entries, text=text, style=style, origin=str(file))


def list_of_suite(config: Config, suite: str) -> tuple[SourceList, tuple[str, ...]]:
    """The host vendor's list for another suite, with the suites beside it that exist.

    Returns:
        the list, and warnings: what could not be looked for.

    Raises:
        BranchError: the vendor has no such suite.
    """
    here = host_codename()
    wanted = [
        replace(entry, suites=(renamed,), uris=(uri,))
        for entry in built_in_list().entries
        for uri in entry.uris
        for renamed in (suite + name.removeprefix(here) for name in entry.suites)
    ]
    urls = [index_urls((entry,), config.arch.value)[0] for entry in wanted]
    seen = freshness.look(tuple(urls), digests={}, headers={})
    kept = [entry for entry, url in zip(wanted, urls, strict=True) if not _is_absent(seen, url)]
    if not any(entry.suites == (suite,) for entry in kept):
        raise BranchError(
            f"the host's vendor has no suite {suite!r}",
            details="\n".join(urls),
            resolution="Give the list yourself: --from FILE.",
        )
    text = render(tuple(kept), style=ListStyle.DEB822)
    listed = SourceList(
        entries=tuple(kept), text=text, style=ListStyle.DEB822, origin=f"the suite {suite}"
    )
    return listed, tuple(seen.failed.values())


def _is_absent(seen: freshness.Freshness, url: str) -> bool:
    release = seen.releases.get(url)
    return release is not None and release.digest == freshness.ABSENT


def remove_branch(place: Workplace, folder: Path, name: BranchName, *, purge: bool) -> None:
    """Remove a branch: its list, its draft, what is remembered of it and its layers.

    Args:
        place: where.
        folder: the folder of configuration.
        name: the branch.
        purge: remove its repository too.

    Raises:
        BranchError: there is no such branch, or it is in use.
    """
    listed = one_branch(folder, name)
    refuse_used(place, name)
    Path(listed.origin).unlink()
    files.sync_folder(Path(listed.origin).parent)
    forget_branch(place, name)
    if purge:
        files.remove_tree(place.output(name))


def entries_text(entries: tuple[SourceEntry, ...]) -> str:
    """Where packages come from, in one line for people."""
    return "; ".join(f"{' '.join(entry.uris)} {' '.join(entry.suites)}" for entry in entries)
