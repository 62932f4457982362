"""Removing what can be made again: a branch's layers, the base OS, or everything private.

What users made is never touched: repositories, build records, keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from lapstrake.branch.draft import Drafts
from lapstrake.config.branches import all_branches
from lapstrake.errors import BranchError, StoreError
from lapstrake.host import files, owned
from lapstrake.host.locks import locked
from lapstrake.host.mounts import mounts_below
from lapstrake.layer.store import Layer
from lapstrake.names import BranchName, CacheKey
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace

_ON_INSTANCES = frozenset({"configured", "installed", "preinst", "sources"})
_ROOT_KINDS = frozenset({"base", "instance"}) | _ON_INSTANCES


def clean_branch(place: Workplace, name: BranchName) -> int:
    """Remove a branch's instances, draft and dependency layers; its list and output stay.

    Returns:
        bytes freed.

    Raises:
        BranchError: there is no such branch, or it is in use.
    """
    known = {*all_branches(place.config.folder), *StateFiles(place.private).branches()}
    if name not in known:
        raise BranchError(
            f"there is no branch {str(name)!r}",
            details=f"branches: {', '.join(sorted(each.text for each in known)) or 'none'}",
        )
    refuse_used(place, name)
    return forget_branch(place, name)


def refuse_used(place: Workplace, name: BranchName) -> None:
    """Make sure that nobody works on a branch.

    Raises:
        BranchError: somebody does; it names the processes.
    """
    locks = place.private / "locks"
    _require_free(locks / f"branch-{name}", f"the branch {name}")
    _require_free(locks / f"draft-{name}", f"the draft of the branch {name}")
    for layer in _layers_of(place, name):
        place.store.require_unused(layer, error=BranchError)


def forget_branch(place: Workplace, name: BranchName) -> int:
    """Forget a branch's instances and remove the layers that no other branch is made of."""
    with place.lock(f"branch-{name}", what=f"the branch {name}"):
        doomed = _layers_of(place, name)
        drafts = Drafts(place)
        freed = drafts.size(name)
        drafts.drop(name)
        StateFiles(place.private).set_branch(name, None)
        return freed + _remove(place, doomed)


def clean_base(place: Workplace) -> int:
    """Remove the base OS and everything that stands on it: all branches' layers and drafts.

    Raises:
        BranchError: somebody uses one of them.
    """
    remembered = StateFiles(place.private)
    layers = [layer for layer in place.store.layers() if layer.kind in _ROOT_KINDS]
    names = remembered.branches()
    for name in names:
        refuse_used(place, name)
    for layer in layers:
        place.store.require_unused(layer, error=BranchError)
    _require_free(place.private / "locks" / "base", "the base OS")
    freed = sum(forget_branch(place, name) for name in names)
    remembered.set_base(None)
    left = [layer for layer in layers if place.store.find(layer.key)]
    return freed + _remove(place, left)


def clean_all(place: Workplace) -> int:
    """Remove everything private (layers, drafts, states, leftovers) and kept workspaces.

    Output, records and keys stay.

    Raises:
        StoreError: somebody uses something of it, or something is mounted in it.
    """
    work_dir, private = place.config.work_dir, place.private
    doomed = [*work_dir.glob(f"{files.TEMPORARY}*{private.name}"), *work_dir.glob(place.kept.name)]
    mounted = mounts_below(private)
    if mounted:
        raise StoreError(
            f"{mounted[0]} is mounted; nothing is removed through a mount",
            resolution=f"Unmount it first: umount {mounted[0]}",
        )
    with ExitStack() as held:  # until it has another name: nothing can begin in between
        for lock in _lock_files(private):
            what = f"{private} ({lock.parent.name}/{lock.name})"
            held.enter_context(locked(lock, what=what, timeout=0, error=BranchError))
        if private.exists():
            grave = files.temporary_name(private)
            private.rename(grave)
            doomed.append(grave)
    freed = sum(owned.size_owned(path) for path in doomed)
    for path in doomed:
        owned.remove_owned(path)
    return freed


def _layers_of(place: Workplace, name: BranchName) -> tuple[Layer, ...]:
    """A branch's instances and the dependencies on them, but for those others are made of."""
    remembered = StateFiles(place.private)
    own = {instance.layer for instance in remembered.branch(name).instances}
    for other in remembered.branches():
        if other != name:
            own -= {instance.layer for instance in remembered.branch(other).instances}
    bases = {key.hex for key in own}
    return tuple(
        layer
        for layer in place.store.layers()
        if layer.key in own or (layer.kind in _ON_INSTANCES and layer.facts["instance"] in bases)
    )


def _remove(place: Workplace, layers: Iterable[Layer]) -> int:
    """Remove layers that nothing remembered is made of any more; gives the bytes freed."""
    needed: frozenset[CacheKey] = StateFiles(place.private).layers()
    return sum(
        layer.size for layer in layers if layer.key not in needed and place.store.remove(layer)
    )


def _lock_files(private: Path) -> list[Path]:
    """Every lock that a command of ours can hold."""
    folders = [private / "locks", *(private / "store" / name for name in ("leases", "locks"))]
    found = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
    return found + list((private / "store").glob("*/*.lock"))


def _require_free(lock: Path, what: str) -> None:
    with locked(lock, what=what, timeout=0, error=BranchError):
        pass
