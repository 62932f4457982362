"""A branch's instance: the layer of its upgrades over the base OS, kept fresh cheaply."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.baseos.current import find_base
from lapstrake.baseos.ensure import ensure_base
from lapstrake.config.branches import one_branch
from lapstrake.config.model import RefreshMode
from lapstrake.errors import BranchError, StoreError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.formats.sources_list import SourceList, index_urls
from lapstrake.host import owned
from lapstrake.layer.store import Layer
from lapstrake.names import BranchName, CacheKey
from lapstrake.place import freshness
from lapstrake.place.apt import Apt
from lapstrake.place.lists import install_list, lists_of_root
from lapstrake.place.state import BranchState, Instance, StateFiles
from lapstrake.place.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch, ready to build on.

    Attributes:
        name: its name.
        base: the base OS' layer.
        instance: its own layer.
        refreshed: why the instance was made just now; empty when it was still fresh.
        foreign: the layer by which it knows packages of another architecture, see
            `lapstrake.branch.foreign`.
    """

    name: BranchName
    base: Layer
    instance: Layer
    refreshed: str = ""
    foreign: Layer | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its stack, lowest first."""
        return (self.base, self.instance, *([self.foreign] if self.foreign else []))

    @property
    def top(self) -> CacheKey:
        """The uppermost layer's key: it stands for all that is in the branch."""
        return self.layers[-1].key


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What an instance should be made of now."""

    base: Layer
    listed: SourceList
    seen: freshness.Freshness
    reason: str

    @property
    def list_digest(self) -> str:
        return _text_digest(self.listed)


def enter_branch(place: Workplace, name: BranchName, *, refresh: bool | None = None) -> Branch:
    """Get a branch's stack, after looking whether upstream has anything new.

    The instance is made anew when there is none, the base OS is another one, the source list was
    edited, or a release file upstream changed; otherwise the one there is serves.

    Args:
        place: where.
        name: the branch.
        refresh: look upstream (``True``), or not (``False``), whatever the configuration says.

    Raises:
        BranchError: there is no such branch, or its refresh failed; the old instance stays.
        BaseError: there is no base OS.
    """
    listed = one_branch(place.config.folder, name)
    base = ensure_base(place)
    state = StateFiles(place.private).branch(name)
    look = _wants_look(place, state) if refresh is None else refresh
    current = state.current
    if not look and current is not None and not staleness(place, listed, base, current):
        return _branch(place, name, current)
    return _refresh(place, name, listed, base)


def current_branch(place: Workplace, name: BranchName) -> Branch | None:
    """A branch's stack as it stands; nothing is looked for upstream, or changed.

    Returns:
        ``None`` when it has no instance, or a layer of it was collected.

    Raises:
        BranchError: there is no such branch.
    """
    one_branch(place.config.folder, name)
    current = StateFiles(place.private).branch(name).current
    if current is None:
        return None
    base, instance = place.store.find(current.base), place.store.find(current.layer)
    return Branch(name=name, base=base, instance=instance) if base and instance else None


def refresh_reason(place: Workplace, name: BranchName, *, refresh: bool | None = None) -> str:
    """Why a build would make a new instance now; empty when the one there serves.

    Nothing is changed. Without a base OS the answer is that there is none yet.
    """
    if not refresh_due(place, name, refresh=refresh):
        return ""
    base = find_base(place)
    if base is None:
        return "there is no base OS yet"
    listed = one_branch(place.config.folder, name)
    return _want(place, base, listed, StateFiles(place.private).branch(name).current).reason


def refresh_due(place: Workplace, name: BranchName, *, refresh: bool | None = None) -> bool:
    """Whether `enter_branch` would look upstream, or must make an instance; told at once.

    Raises:
        BranchError: there is no such branch.
    """
    listed = one_branch(place.config.folder, name)
    state = StateFiles(place.private).branch(name)
    look = _wants_look(place, state) if refresh is None else refresh
    return look or bool(staleness(place, listed, find_base(place), state.current))


def _refresh(place: Workplace, name: BranchName, listed: SourceList, base: Layer) -> Branch:
    """Look upstream, and make a new instance if it differs; one at a time for each branch."""
    with place.lock(f"branch-{name}", what=f"the branch {name}"):
        state = StateFiles(place.private).branch(name)
        wanted = _want(place, base, listed, state.current)
        if not wanted.reason and state.current is not None:
            StateFiles(place.private).set_branch(name, replace(state, checked=time.time()))
            return _branch(place, name, state.current)
        place.progress.headline(f"refreshing {name}: {wanted.reason}")
        instance = _make(place, name, wanted, state.current)
        StateFiles(place.private).set_branch(name, state.with_instance(instance))
        return _branch(place, name, instance, refreshed=wanted.reason)


def _want(place: Workplace, base: Layer, listed: SourceList, current: Instance | None) -> _Wanted:
    """Compare what there is with what there should be; an empty reason means: nothing to do."""
    seen = look_upstream(place, listed, base, current)
    wanted = _Wanted(base=base, listed=listed, seen=seen, reason="")
    return replace(wanted, reason=_reason(place, wanted, current))


def staleness(
    place: Workplace, listed: SourceList, base: Layer | None, current: Instance | None
) -> str:
    """Why an instance does not serve, as far as can be told without looking upstream.

    Returns:
        the reason in words; empty when it serves.
    """
    if current is None:
        return "it has no instance yet"
    if base is None or current.base != base.key:
        return "the base OS is another one" if base else "no base OS is loaded"
    if place.store.find(current.layer) is None:
        return "its layer was collected"
    if current.list_digest != _text_digest(listed):
        return f"{listed.origin} was edited"
    return ""


def look_upstream(
    place: Workplace, listed: SourceList, base: Layer, current: Instance | None
) -> freshness.Freshness:
    """Ask for the release files that a branch's packages come from."""
    entries = listed.entries or lists_of_root(base.tree)
    return freshness.look(
        index_urls(entries, place.config.arch.value),
        digests=current.releases if current else {},
        headers=current.headers if current else {},
    )


def _reason(place: Workplace, wanted: _Wanted, current: Instance | None) -> str:
    """Why a new instance is needed, in words; empty when it is not."""
    reason = staleness(place, wanted.listed, wanted.base, current)
    if reason:
        return reason
    if wanted.seen.changed:
        return f"upstream changed: {wanted.seen.changed[0]}"
    for failure in wanted.seen.failed.values():
        place.progress.warning(f"cannot tell whether upstream changed: {failure}")
    return ""


def _make(
    place: Workplace, name: BranchName, wanted: _Wanted, current: Instance | None
) -> Instance:
    """Upgrade in a workspace over the base, starting from the former instance where it fits."""
    former = None
    commits: tuple[str, ...] = ()
    if current is not None and current.base == wanted.base.key:
        former = place.store.find(current.layer)
        commits = current.commits if former else ()
    elif current is not None and current.commits:
        place.progress.warning(
            f"{name}: changes committed on the former base OS are not in the new instance; "
            f"make them anew: lapstrake branch shell {name}"
        )
    releases = {url: release.digest for url, release in wanted.seen.releases.items()}
    inputs: dict[str, Canonical] = {
        "base": wanted.base.key.hex,
        "list": wanted.listed.text,
        "releases": releases,
        "commits": list(commits),
        "asked": {url: str(time.time_ns()) for url in wanted.seen.failed},
    }
    key = cache_key("instance", inputs)

    def fill(tree: Path) -> None:
        _upgrade(place, tree, wanted, former)

    layer = place.store.make(
        key,
        kind="instance",
        facts={"branch": name.text, "reason": wanted.reason, **inputs},
        fill=fill,
        on_wait=place.progress.headline,
    )
    return Instance(
        base=wanted.base.key,
        layer=layer.key,
        list_digest=wanted.list_digest,
        releases=releases,
        headers={url: dict(release.headers) for url, release in wanted.seen.releases.items()},
        commits=commits,
        reason=wanted.reason,
        made=time.time(),
    )


def _upgrade(place: Workplace, tree: Path, wanted: _Wanted, former: Layer | None) -> None:
    """`apt update && apt upgrade`, as the seed says, then leave no downloads behind."""
    leased = [wanted.base, *([former] if former else [])]
    with place.store.lease(leased), place.store.workspace("instance") as workspace:
        if former is not None:
            owned.copy_owned(former.tree, workspace / "upper")
        with place.layer_runner.open((wanted.base.tree,), workspace) as session:
            apt = Apt(
                session=session, progress=place.progress, error=BranchError, limits=place.limits
            )
            install_list(apt, wanted.listed)
            apt.get("update")
            apt.install("dist-upgrade")
            apt.get("clean")
            session.capture(tree)


def _wants_look(place: Workplace, state: BranchState) -> bool:
    """Whether the configuration wants a look upstream now."""
    refresh = place.config.refresh
    return refresh.mode is RefreshMode.ALWAYS and time.time() - state.checked >= refresh.max_age


def _text_digest(listed: SourceList) -> str:
    return hashlib.sha256(listed.text.encode()).hexdigest()


def _branch(
    place: Workplace, name: BranchName, instance: Instance, *, refreshed: str = ""
) -> Branch:
    """Look up an instance's layers."""

    def layer(key: CacheKey) -> Layer:
        found = place.store.find(key)
        if found is None:
            raise StoreError(
                f"a layer of the branch {name} is gone ({key.short})",
                resolution=f"Run `lapstrake branch refresh {name}`.",
            )
        return found

    return Branch(
        name=name, base=layer(instance.base), instance=layer(instance.layer), refreshed=refreshed
    )
