"""Build a group: members as processes of their own, side by side, remembered for a resume."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.branch.workplace import Workplace
from lapstrake.build.group import Member, MemberState, Schedule, relate
from lapstrake.build.prepare import read_bundle
from lapstrake.build.probe import folder_digest
from lapstrake.build.request import BuildRequest
from lapstrake.bundle.base import Bundle
from lapstrake.bundle.tree import Tree
from lapstrake.bundle.tree_groups import expand
from lapstrake.errors import BundleError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.host import files
from lapstrake.host.children import ChildEvent, Children
from lapstrake.names import BranchName

_COMMENT = "#"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRequest:
    """A group and how it is built.

    Attributes:
        items: bundles, and files that list them.
        branch: the branch.
        cwd: what paths are relative to.
        workers: members built at a time.
        stop: start nothing more after the first failure.
        resume: leave out members that are built already and have not changed.
        arguments: what each member's own ``lapstrake`` gets before ``build``.
        options: what each member's ``build`` gets.
    """

    items: tuple[str, ...]
    branch: BranchName
    cwd: Path
    workers: int = 1
    stop: bool = False
    resume: bool = False
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def build_group(place: Workplace, request: GroupRequest) -> tuple[Member, ...]:
    """Build the members of a group in the order they need.

    Raises:
        BundleError: a member is unknown or wrong; nothing is built then.
        GroupError: members need each other in a cycle.

    Returns:
        all members in building order, each with its state; the caller judges.
    """
    names = expand_items(place, request)
    bundles = {name: read_bundle(place, _single(request, name)) for name in names}
    schedule = Schedule(relate(bundles))
    memory = _Memory(place, request.branch, bundles)
    if request.resume:
        for name in schedule.members:
            if memory.is_built(name):
                schedule.mark(name, MemberState.KEPT, reason="built before, and unchanged")
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


def expand_items(place: Workplace, request: GroupRequest) -> tuple[str, ...]:
    """The members' names: files of names are replaced by what is in them.

    A file is looked for at its path, then in the configured trees (``groups/kde``).
    """
    names: list[str] = []
    for item in request.items:
        file = request.cwd / item
        if file.is_file() and file.suffix not in {".dsc", ".toml"}:
            names += [_beside(line, file.parent) for line in _read_lines(file)]
        else:
            names += _from_trees(place.config.tree, item)
    return tuple(dict.fromkeys(names))


def _from_trees(trees: Sequence[Path], item: str) -> list[str]:
    """A group of a tree as its members; anything else is a bundle's name already."""
    for top in trees:
        if (top / item).is_file():
            return [found.address for found in expand(Tree(top), [item])]
    return [item]


def _read_lines(file: Path) -> list[str]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as refused:
        raise BundleError(f"{file}: this is no list of bundles: {refused}") from refused
    texts = (line.partition(_COMMENT)[0].strip() for line in lines)
    return [text for text in texts if text]


def _beside(text: str, folder: Path) -> str:
    """A path in a list is relative to the list."""
    return str(folder / text) if (folder / text).exists() else text


def _single(request: GroupRequest, name: str) -> BuildRequest:
    return BuildRequest(bundle=name, branch=request.branch, cwd=request.cwd)


def _command(request: GroupRequest, name: str) -> list[str]:
    """The command line that builds one member: this program again."""
    program = [sys.executable, "-m", "lapstrake", *request.arguments]
    return [*program, "build", "--json", *request.options, "--", name, request.branch.text]


def _follow(
    place: Workplace, request: GroupRequest, schedule: Schedule, memory: _Memory, event: ChildEvent
) -> None:
    """Pass on what a member says; note its end."""
    if event.status is None:
        place.progress.output(f"{event.name}: ".encode() + event.line + b"\n")
        return
    try:
        record = json.loads(event.output)
    except ValueError:
        record = {}
    seconds = float(record.get("finished", 0)) - float(record.get("started", 0))
    if event.status == 0:
        memory.note(event.name, [row["name"] for row in record["outputs"] if row["published"]])
        schedule.mark(event.name, MemberState.BUILT, seconds=seconds, record=record["id"])
        place.progress.headline(f"{event.name}: built in {seconds:.1f} s")
        return
    schedule.mark(event.name, MemberState.FAILED, reason=f"exit status {event.status}")
    place.progress.headline(f"{event.name}: failed with status {event.status}")
    if request.stop:
        schedule.stop()


class _Memory:
    """Which members were built, by the bytes of their bundles: a resume leaves those out."""

    def __init__(self, place: Workplace, branch: BranchName, bundles: Mapping[str, Bundle]) -> None:
        self._folder = place.private / "groups"
        self._output = place.output(branch)
        self._keys = {
            name: cache_key("member", _member_inputs(place, branch, bundle)).hex
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


def _member_inputs(place: Workplace, branch: BranchName, bundle: Bundle) -> Mapping[str, Canonical]:
    content = folder_digest(bundle.path) if bundle.path.is_dir() else bundle.path.name
    return {
        "branch": branch.text,
        "arch": place.config.arch.value,
        "version": bundle.version,
        "content": content,
    }
