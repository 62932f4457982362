"""What a spec must have, before a task is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TypeAlias

from pydantic import ValidationError

from lapstrake.config.model import Config
from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.desk import bundles
from lapstrake.farm.desk.values import dump, load
from lapstrake.farm.model import queues
from lapstrake.farm.problems import Invalid
from lapstrake.farm.values.tasks import TaskKind, TaskSpec
from lapstrake.names import Arch, BranchName

Fill: TypeAlias = Callable[[TaskSpec], TaskSpec]
"""Fills in what a spec lacks."""

MOST_AT_ONCE = 1000
"""Tasks of one request."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_LONGEST_NAME = 200


def checked(
    spec: TaskSpec, config: Config, contents: Contents | None = None, *, whole: bool = True
) -> TaskSpec:
    """A spec that makes sense, with what was left out filled in.

    Args:
        spec: as asked for.
        config: for the branches and the server's own architecture.
        contents: to look whether the bundle is there.
        whole: refuse one that lacks something.

    Raises:
        Invalid: it makes no sense.
    """
    spec = replace(spec, arch=spec.arch or config.arch.value)
    for text, limit in ((spec.name, _LONGEST_NAME), (spec.source, 1000), (spec.package, 200)):
        if len(text) > limit or not text.isprintable():
            raise Invalid(f"{text[:60]!r} is no name: at most {limit} characters that print")
    for arch in filter(None, (spec.arch, spec.target)):
        if arch not in set(Arch):
            raise Invalid(
                f"{arch[:40]!r} is no architecture that there are machines of",
                resolution=f"There are: {', '.join(Arch)}.",
                fields={"arches": list(Arch)},
            )
    if spec.branch:
        check_branch(spec.branch, config)
    if spec.bundle:
        _check_bundle(spec.bundle, contents)
    if spec.source and not spec.bundle:
        bundles.check_source(spec.source, config)
    if spec.build_kind not in {"full", "any", "all"}:
        raise Invalid(f"build_kind is full, any or all, not {spec.build_kind!r}")
    if spec.seconds < 0 or spec.memory < 0:
        raise Invalid("limits cannot be below zero")
    if spec.keep_failed and spec.kind is not TaskKind.BUNDLE:
        raise Invalid("only the build folders of bundles can be kept, not those of artifacts")
    queues.queue_of(spec.arch, spec.requires)
    lacking = lacks(spec) if whole else ()
    if lacking:
        raise Invalid(f"it lacks {' and '.join(lacking)}", fields={"lacks": lacking})
    requires = replace(spec.requires, capabilities=tuple(sorted(set(spec.requires.capabilities))))
    spec = replace(spec, requires=requires, name=spec.name or spec.source)
    return bundles.packed(spec, config, contents) if whole and contents is not None else spec


def checked_all(
    wanted: Sequence[TaskSpec], config: Config, contents: Contents
) -> tuple[TaskSpec, ...]:
    """Check several specs.

    Raises:
        Invalid: one makes no sense; the detail says which; or they are too many.
    """
    if len(wanted) > MOST_AT_ONCE:
        raise Invalid(f"{len(wanted)} tasks at once are too many: at most {MOST_AT_ONCE}")
    found = []
    for number, spec in enumerate(wanted):
        try:
            found.append(checked(spec, config, contents))
        except Invalid as problem:
            if len(wanted) == 1:
                raise
            name = f" ({spec.name})" if spec.name else ""
            raise Invalid(
                f"task {number + 1} of {len(wanted)}{name}: {problem.brief}",
                resolution=problem.resolution,
                fields={**problem.fields, "index": number},
            ) from None
    return tuple(found)


def checked_priority(priority: int) -> int:
    """A priority.

    Raises:
        Invalid: not from -100 to 100.
    """
    if not -100 <= priority <= 100:
        raise Invalid(f"a priority is from -100 to 100, not {priority}")
    return priority


def check_branch(name: str, config: Config) -> None:
    """Refuse a branch that there is not.

    Raises:
        Invalid: the resolution names those that there are.
    """
    try:
        config.branch(BranchName(name))
    except LapstrakeError as error:
        try:
            known = sorted(branch.text for branch in config.branches())
        except LapstrakeError:
            known = []
        raise Invalid(
            error.brief,
            resolution=f"There are: {', '.join(known)}." if known else error.resolution,
            fields={"branches": known},
        ) from None


def overridden(spec: TaskSpec, overrides: Mapping[str, object]) -> TaskSpec:
    """A spec with some fields changed.

    Raises:
        Invalid: there is no such field, or its value is wrong.
    """
    known = {field.name for field in fields(TaskSpec)}
    strangers = sorted(set(overrides) - known)
    if strangers:
        raise Invalid(f"a task has no {', '.join(strangers)}")
    try:
        return load(TaskSpec, {**dump(spec), **overrides})
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(str(part) for part in wrong["loc"])
        raise Invalid(f"{where}: {wrong['msg']}") from None


def lacks(spec: TaskSpec) -> tuple[str, ...]:
    """What must be said before it can be built."""
    lacking = []
    if not spec.bundle and not spec.source:
        lacking.append("a bundle")
    if not spec.branch and spec.kind is TaskKind.BUNDLE:
        lacking.append("a branch")
    return tuple(lacking)


def _check_bundle(digest: str, contents: Contents | None) -> None:
    if not _DIGEST.match(digest):
        raise Invalid(f"{digest[:80]!r} is no digest", resolution="Use sha256: and 64 hex digits.")
    if contents is not None and contents.size(digest) is None:
        raise Invalid(f"the server has no {digest}", resolution="Upload it first.")
