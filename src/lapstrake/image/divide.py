"""Divide a closure into what each layer of an image is made of, lowest first; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lapstrake.errors import ImageError
from lapstrake.grouping.base import Group
from lapstrake.image.base import ImageRequest
from lapstrake.image.leftovers import NEVER
from lapstrake.image.pack import LayerSource
from lapstrake.image.planning import Grouping
from lapstrake.image.sources.base import ROOT, Closure, Member

_LEAST_GROUPS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """One layer before it is packed; the attributes are those of `ImageLayer`."""

    source: LayerSource
    what: str
    members: tuple[str, ...] = ()
    reason: str = ""


def divide(closure: Closure, request: ImageRequest, grouping: Grouping) -> list[Portion]:
    """Divide a closure into layers: the base OS, groups of packages, the configuration.

    Raises:
        ImageError: the budget has no room for them.
    """
    groups = groups_of(closure, request, grouping)
    return [
        *_base(closure, request),
        *(_packages(closure, request, group) for group in groups),
        *_configuration(closure, request),
    ]


def groups_of(closure: Closure, request: ImageRequest, grouping: Grouping) -> tuple[Group, ...]:
    """Divide a closure's packages; the base OS and the configuration have layers besides.

    Raises:
        ImageError: the budget has no room for them.
    """
    if not closure.members:
        return ()
    fixed = len(closure.below) + bool(closure.top)
    room = request.budget - fixed
    if room < _LEAST_GROUPS:
        raise ImageError(
            f"a budget of {request.budget} layers is too small: {fixed} are not for packages",
            resolution=f"Allow at least {fixed + _LEAST_GROUPS}.",
        )
    return grouping.groups(closure.graph, room)


def _base(closure: Closure, request: ImageRequest) -> Iterator[Portion]:
    for content, tree in closure.below:
        source = LayerSource(
            content=(content,),
            places=((tree, ""),),
            left_out=NEVER,
            compression=request.compression,
            size=1 << 30,  # the biggest by far: it begins first
        )
        yield Portion(source=source, what="base", reason="the base OS")


def _packages(closure: Closure, request: ImageRequest, group: Group) -> Portion:
    members = [closure.members[name] for name in group.members]
    source = LayerSource(
        content=tuple(sorted(f"{member.content} {member.target}" for member in members)),
        places=tuple((member.tree, _relative(member)) for member in members),
        plain=any(member.target != ROOT for member in members),
        compression=request.compression,
        size=sum(closure.graph.nodes[name].size for name in group.members),
    )
    ids = tuple(sorted(member.id for member in members))
    return Portion(source=source, what="packages", members=ids, reason=group.reason)


def _configuration(closure: Closure, request: ImageRequest) -> Iterator[Portion]:
    if not closure.top:
        return
    source = LayerSource(
        content=(closure.top_content,),
        places=tuple((tree, "") for tree in closure.top),
        left_out=NEVER,
        latest=closure.created if request.created is None else request.created,
        compression=request.compression,
    )
    yield Portion(source=source, what="configuration", reason="what configuring them wrote")


def _relative(member: Member) -> str:
    """Where a member's tree goes, as a tar names it."""
    return str(member.target).strip("/")
