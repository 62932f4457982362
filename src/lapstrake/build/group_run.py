"""Build a group: members as processes of their own, side by side, remembered for a resume."""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.branch.instance import Branch, current_branch, enter_branch
from lapstrake.build.group import Member, MemberState, Schedule, relate
from lapstrake.build.group_items import expand_items
from lapstrake.build.probe import folder_digest
from lapstrake.build.reading import NoRootError, reading_of
from lapstrake.build.request import BuildRequest
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_uris import is_request
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.host import files
from lapstrake.host.children import ChildEvent, Children
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRequest:
    """A group and how it is built.

    Attributes:
        items: bundles, and files that list them.
        member: how each member is built; its ``bundle`` does not count.
        workers: members built at a time.
        stop: start nothing more after the first failure.
        resume: leave out members that are built already and have not changed.
        arguments: what each member's own ``lapstrake`` gets before ``build``.
        options: what each member's ``build`` gets.
    """

    items: tuple[str, ...]
    member: BuildRequest
    workers: int = 1
    stop: bool = False
    resume: bool = False
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def branch(self) -> BranchName:
        """The branch that all are built for."""
        return self.member.branch

    @property
    def cwd(self) -> Path:
        """What paths are relative to."""
        return self.member.cwd


def build_group(place: Workplace, request: GroupRequest) -> tuple[Member, ...]:
    """Build the members of a group in the order they need.

    The branch is refreshed once, before: all members stand on the same instance.

    Raises:
        BundleError: a member is unknown or wrong; nothing is built then.
        GroupError: members need each other in a cycle.

    Returns:
        all members in building order, each with its state; the caller judges.
    """
    enter = entering(place, request)
    schedule, memory = _scheduled(place, request, read_group(place, request, enter))
    enter()
    with Children() as children:
        while True:
            for name in schedule.ready():
                if len(children) >= request.workers:
                    break
                schedule.mark(name, MemberState.BUILDING)
                place.progress.headline(f"{name}: building")
                children.start(name, _command(request, name))
            if not len(children):
                return tuple(schedule.members.values())
            for event in children.events():
                _follow(place, request, schedule, memory, event)


def plan_group(place: Workplace, request: GroupRequest) -> tuple[Member, ...]:
    """What `build_group` would build, in order; what it would leave out is marked as kept.

    Raises:
        NoRootError: a member can only be read by making or fetching something.
    """
    branch = current_branch(place, request.branch)

    def look() -> Branch:
        if branch is None:
            raise NoRootError(f"the branch {request.branch} has no root yet to read bundles in")
        return branch

    bundles = read_group(place, request, look, only_look=True)
    schedule, _ = _scheduled(place, request, bundles)
    return tuple(schedule.members.values())


def read_group(
    place: Workplace,
    request: GroupRequest,
    enter: Callable[[], Branch],
    *,
    only_look: bool = False,
) -> dict[str, Bundle]:
    """Read a group's members, each once, by what they are called.

    AOSC's members are read twice: the words of the first reading tell which packages the group will
    have made by itself, so that no package of another name takes their place.

    Args:
        place: where.
        request: the group.
        enter: gives the branch, see `Reading`.
        only_look: fetch and remember nothing.
    """
    names = expand_items(request.items, trees=place.config.tree, cwd=request.cwd)

    def read(name: str, siblings: frozenset[str] = frozenset()) -> Bundle:
        if only_look and is_request(name):
            raise NoRootError(f"{name} is only known once its description was fetched")
        single = replace(request.member, bundle=name)
        reading = reading_of(place, single, enter, remember=not only_look, siblings=siblings)
        return reading.bundle()

    bundles: dict[str, Bundle] = {}
    for name in names:
        bundle = read(name)
        if all(other.path != bundle.path for other in bundles.values()):
            bundles[name] = bundle
    made = frozenset(package for bundle in bundles.values() for package in bundle.provides)
    return {
        name: read(name, made) if bundle.format is BundleFormat.AOSC else bundle
        for name, bundle in bundles.items()
    }


def entering(place: Workplace, request: GroupRequest) -> Callable[[], Branch]:
    """What enters the branch at the first need: once for all members."""

    @functools.cache
    def enter() -> Branch:
        return enter_branch(place, request.branch, refresh=request.member.refresh)

    return enter


def _scheduled(
    place: Workplace, request: GroupRequest, bundles: Mapping[str, Bundle]
) -> tuple[Schedule, _Memory]:
    """The members in order; those that a resume leaves out are marked already."""
    schedule = Schedule(relate(bundles))
    memory = _Memory(place, request, bundles)
    if request.resume:
        for member in tuple(schedule.members.values()):
            if memory.is_built(member.name) and schedule.stands_on_kept(member.name):
                schedule.mark(member.name, MemberState.KEPT, reason="built before, and unchanged")
    return schedule, memory


def _command(request: GroupRequest, name: str) -> list[str]:
    """The command line that builds one member: this program again."""
    program = [sys.executable, "-m", "lapstrake", *request.arguments]
    options = ["--json", "--no-refresh", *request.options]
    return [*program, "build", *options, "--", name, request.branch.text]


def _follow(
    place: Workplace, request: GroupRequest, schedule: Schedule, memory: _Memory, event: ChildEvent
) -> None:
    """Pass on what a member says; note its end."""
    if event.status is None:
        place.progress.output(f"{event.name}: ".encode() + event.line + b"\n")
        return
    try:
        record = json.loads(event.output)
    except ValueError:  # it ended before there was one
        record = {"started": 0.0, "finished": 0.0, "outputs": [], "id": "", "error": ""}
    seconds = record["finished"] - record["started"]
    if event.status == 0:
        if request.member.publish:
            memory.note(event.name, [row["name"] for row in record["outputs"] if row["published"]])
        schedule.mark(event.name, MemberState.BUILT, seconds=seconds, record=record["id"])
        place.progress.headline(f"{event.name}: built in {seconds:.1f} s")
        return
    reason = record["error"] or f"exit status {event.status}"
    schedule.mark(
        event.name, MemberState.FAILED, seconds=seconds, record=record["id"], reason=reason
    )
    place.progress.headline(f"{event.name}: failed with status {event.status}")
    if request.stop:
        schedule.stop()


class _Memory:
    """Which members were built, by the bytes of their bundles: a resume leaves those out."""

    def __init__(
        self, place: Workplace, request: GroupRequest, bundles: Mapping[str, Bundle]
    ) -> None:
        self._folder = place.private / "groups"
        self._output = place.output(request.branch)
        self._keys = {
            name: cache_key("member", _member_inputs(place, request, bundle)).hex
            for name, bundle in bundles.items()
        }

    def is_built(self, name: str) -> bool:
        """Whether the same bundle was built, and its packages are still in the repository."""
        try:
            outputs = json.loads((self._folder / self._keys[name]).read_bytes())["outputs"]
        except (FileNotFoundError, ValueError, KeyError):
            return False
        return all((self._output / output).is_file() for output in outputs)

    def note(self, name: str, outputs: Sequence[str]) -> None:
        """Remember that a member was built, and the packages it made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"at": time.time(), "outputs": list(outputs)}).encode()
        files.write_atomic(self._folder / self._keys[name], text, durable=False)


def _member_inputs(
    place: Workplace, request: GroupRequest, bundle: Bundle
) -> Mapping[str, Canonical]:
    content = folder_digest(bundle.path) if bundle.path.is_dir() else bundle.path.name
    return {
        "branch": request.branch.text,
        "arch": (request.member.target or place.config.arch).value,
        "version": bundle.version,
        "content": content,
        "sources": [str(source.digest) for source in bundle.sources],
        "options": dict(bundle.environment),
    }
