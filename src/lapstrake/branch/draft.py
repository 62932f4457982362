"""A branch's draft: changes by hand, in a workspace that stays until it is committed or dropped.

On disk, ``.builder/drafts/NAME/``: ``draft.json`` tells what it was begun on, ``upper`` is a copy
of the instance with the changes. It appears by one rename, and only its own lock lets anybody in.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.errors import BaseError, BranchError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.host import files, owned
from lapstrake.host.locks import locked
from lapstrake.layer.store import Layer
from lapstrake.names import BranchName
from lapstrake.place.state import (
    Draft,
    Instance,
    StateFiles,
    draft_document,
    read_draft,
)
from lapstrake.place.workplace import Workplace
from lapstrake.runner.base import Session

_RECORD = "draft.json"


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts of a place."""

    place: Workplace

    def find(self, name: BranchName) -> Draft | None:
        """A branch's draft, if there is one."""
        return read_draft(self._folder(name) / _RECORD)

    def size(self, name: BranchName) -> int:
        """Bytes on disk of a draft."""
        folder = self._folder(name)
        return owned.size_owned(folder) if folder.is_dir() else 0

    @contextmanager
    def enter(self, branch: Branch) -> Iterator[Session]:
        """Enter a branch's draft, begun now if there is none.

        Raises:
            BranchError: somebody is in it, or its base OS is gone.
        """
        with self.locked(branch.name):
            draft = self.find(branch.name) or self._begin(branch)
            base = self._base_of(branch.name, draft)
            folder = self._folder(branch.name)
            with (
                self.place.store.lease([base]),
                self.place.layer_runner.open((base.tree,), folder) as session,
            ):
                yield session

    def commit(self, name: BranchName) -> Layer:
        """Make a draft the branch's instance; refreshes keep what was committed.

        Raises:
            BranchError: there is no draft, somebody is in it, or the base OS is another one now.
        """
        with (
            self.locked(name),
            self.place.lock(f"branch-{name}", what=f"the branch {name}"),
        ):
            draft = self.find(name)
            if draft is None:
                raise BranchError(
                    f"the branch {name} has no draft",
                    resolution=f"Begin one: lapstrake branch shell {name}",
                )
            self._refuse_other_base(name, draft)
            state = StateFiles(self.place.private).branch(name)
            layer, committed = self._layer(name, draft)
            if state.current is None or draft.mark not in state.current.commits:
                after = state.with_instance(committed)
                after = replace(after, checked=state.checked)  # nobody looked upstream now
                StateFiles(self.place.private).set_branch(name, after)
            self._remove(name)
            return layer

    def drop(self, name: BranchName) -> bool:
        """Throw a draft away; says whether there was one.

        Raises:
            BranchError: somebody is in it.
        """
        if not self._folder(name).exists():
            return False
        with self.locked(name):
            self._remove(name)
        return True

    @contextmanager
    def locked(self, name: BranchName) -> Iterator[None]:
        """Keep everybody else out of a branch's draft.

        Raises:
            BranchError: somebody is in it.
        """
        path = self.place.private / "locks" / f"draft-{name}"
        what = f"the draft of the branch {name}"
        with locked(path, what=what, timeout=0, error=BranchError):
            yield

    def _begin(self, branch: Branch) -> Draft:
        """A copy of the instance, so that what is committed needs no merging."""
        state = StateFiles(self.place.private).branch(branch.name)
        origin = next(each for each in state.instances if each.layer == branch.instance.key)
        draft = Draft(origin=origin, mark=os.urandom(8).hex(), begun=time.time())
        with (
            self.place.store.lease([branch.instance]),
            self.place.store.workspace("draft") as folder,
        ):
            owned.copy_owned(branch.instance.tree, folder / "upper")
            files.write_atomic(folder / _RECORD, json.dumps(draft_document(draft)).encode())
            target = self._folder(branch.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(target)
        return draft

    def _layer(self, name: BranchName, draft: Draft) -> tuple[Layer, Instance]:
        """Copied, not moved: what is refused on the way costs nobody their changes."""
        origin = draft.origin
        commits = (*origin.commits, draft.mark)
        inputs: dict[str, Canonical] = {
            "base": origin.base.hex,
            "from": origin.layer.hex,
            "commits": list(commits),
        }
        key = cache_key("instance", inputs)
        layer = self.place.store.make(
            key,
            kind="instance",
            facts={"branch": name.text, "reason": "committed by hand", **inputs},
            fill=lambda tree: owned.copy_owned(self._folder(name) / "upper", tree),
            on_wait=self.place.progress.headline,
        )
        committed = replace(
            origin, layer=key, commits=commits, reason="committed by hand", made=time.time()
        )
        return layer, committed

    def _base_of(self, name: BranchName, draft: Draft) -> Layer:
        base = self.place.store.find(draft.origin.base)
        if base is None:
            raise BranchError(
                f"the base OS that the draft of {name} was begun on is gone",
                resolution=f"Drop the draft: lapstrake branch rollback {name}",
            )
        return base

    def _refuse_other_base(self, name: BranchName, draft: Draft) -> None:
        base = StateFiles(self.place.private).base()
        if base is None:
            raise BaseError("no base OS is loaded", resolution="Run `lapstrake load-baseos` first.")
        if base.key != draft.origin.base:
            raise BranchError(
                f"the draft of {name} was begun on another base OS than the one loaded now",
                details=f"begun on {draft.origin.base.short}, loaded {base.key.short}",
                resolution=f"Drop it (lapstrake branch rollback {name}) and make the changes anew.",
            )

    def _remove(self, name: BranchName) -> None:
        """Gone in one step, then removed."""
        grave = files.temporary_name(self._folder(name))
        self._folder(name).rename(grave)
        owned.remove_owned(grave)

    def _folder(self, name: BranchName) -> Path:
        return self.place.private / "drafts" / name.text


def roll_back(place: Workplace, name: BranchName) -> Instance:
    """Go back to the instance before the current one, which is forgotten.

    What upstream has now counts as seen: the branch stays back until upstream changes again.

    Raises:
        BranchError: there is none on the base OS in force, or its layer is gone.
    """
    with place.lock(f"branch-{name}", what=f"the branch {name}"):
        remembered = StateFiles(place.private)
        state = remembered.branch(name)
        if len(state.instances) < 2:
            raise BranchError(f"the branch {name} has no former instance to go back to")
        left, former = state.instances[:2]
        _refuse_gone(place, name, former)
        if former.list_digest == left.list_digest:
            former = replace(former, releases=left.releases, headers=left.headers)
        after = replace(state, instances=(former, *state.instances[2:]))
        remembered.set_branch(name, after)
        return former


def _refuse_gone(place: Workplace, name: BranchName, former: Instance) -> None:
    base = StateFiles(place.private).base()
    if base is not None and base.key != former.base:
        raise BranchError(
            f"the former instance of {name} stands on another base OS than the one loaded now",
            details=f"it stands on {former.base.short}, loaded is {base.key.short}",
        )
    if place.store.find(former.layer) is None:
        raise BranchError(
            f"the former instance of {name} is gone ({former.layer.short})",
            resolution=f"Make a new one: lapstrake branch refresh {name}",
        )
