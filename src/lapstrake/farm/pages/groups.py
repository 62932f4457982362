"""``/groups`` and ``/groups/ID``: groups of builds, each as a graph and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.model.states import ENDED
from lapstrake.farm.pages.graph import Layout, layout
from lapstrake.farm.pages.lists import SHOWN, query_of
from lapstrake.farm.pages.site import Site, acted, moved, number, page, shown
from lapstrake.farm.values.groups import Group, GroupState, Member

COLUMN, ROW, WIDTH, HEIGHT = 204, 44, 156, 32
"""The graph's grid and the size of its boxes, in its own units."""
_MOST_DRAWN = 600
_LETTERS = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A member in the picture."""

    member: Member
    left: float
    top: float

    @property
    def label(self) -> str:
        """Its name, cut to the box."""
        name = self.member.name.rpartition("/")[2]
        return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A group as boxes and arrows.

    Attributes:
        boxes: the members.
        arrows: the attribute ``d`` of a path each.
        width, height: of the whole.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[str, ...]
    width: float
    height: float


def group_routes(site: Site) -> list[BaseRoute]:
    """The routes of groups."""
    return [
        shown(site, "/groups", _groups),
        shown(site, "/groups/{id}", _group),
        acted(site, "/groups/{id}/cancel", _cancel),
        acted(site, "/groups/{id}/resume", _resume),
    ]


def picture(group: Group) -> Picture | None:
    """Draw a group; ``None`` when it is too large to be read."""
    if not 0 < len(group.members) <= _MOST_DRAWN:
        return None
    members = {member.name: member for member in group.members}
    placed = _placed(tuple((name, member.needs) for name, member in members.items()))
    return Picture(
        boxes=tuple(
            Box(member=members[name], left=column * COLUMN + 1, top=round(row * ROW + 6, 1))
            for name, (column, row) in placed.places.items()
        ),
        arrows=tuple(_arrow(points) for points in placed.arrows),
        width=(placed.columns - 1) * COLUMN + WIDTH + 2,
        height=round((placed.rows - 1) * ROW + HEIGHT + 12, 1),
    )


@lru_cache(maxsize=64)
def _placed(needs: tuple[tuple[str, tuple[str, ...]], ...]) -> Layout:
    """The layout of a large group takes half a second, and only states change."""
    return layout(dict(needs))


def progress(group: Group) -> Mapping[str, int]:
    """How many members are in each state."""
    return Counter(member.state for member in group.members)


def expected_end(desk: Desk, group: Group) -> float:
    """When placement thinks that the last member ends; 0 when it does not know of all."""
    forecasts = [
        desk.forecast(member.task) for member in group.members if member.state not in ENDED
    ]
    known = [forecast.finish for forecast in forecasts if forecast is not None]
    return max(known) if known and len(known) == len(forecasts) else 0.0


def _arrow(points: tuple[tuple[int, float], ...]) -> str:
    """A curve from box to box, through the gaps that are left for it."""
    rows = [round(row * ROW + 6 + HEIGHT / 2, 1) for _, row in points]
    parts = [f"M{points[0][0] * COLUMN + WIDTH + 1} {rows[0]}"]
    for (column, _), before, row in zip(points[1:], rows, rows[1:], strict=False):
        start, end = (column - 1) * COLUMN + WIDTH + 1, column * COLUMN + 1
        middle = (start + end) / 2
        parts.append(f"C{middle} {before} {middle} {row} {end} {row}")
        if column != points[-1][0]:
            parts.append(f"H{column * COLUMN + WIDTH + 1}")
    return "".join(parts)


def _groups(site: Site, request: Request) -> Response:
    query = query_of(request, ())
    listed = site.desk.groups(after=query.after, limit=SHOWN)
    counts = {group.id: progress(group) for group in listed.items}
    return page(request, "groups.html", listed=listed, query=query, counts=counts, ended=ENDED)


def _group(site: Site, request: Request) -> Response:
    group = site.desk.group(number(request))
    counts = progress(group)
    return page(
        request,
        "group.html",
        group=group,
        picture=picture(group),
        counts=counts,
        done=sum(counts[state] for state in ENDED if state in counts),
        failed=tuple(member for member in group.members if member.state in _BAD),
        running=group.state is GroupState.RUNNING,
        size=(WIDTH, HEIGHT),
        end=expected_end(site.desk, group),
    )


_BAD = {"failed", "error"}


def _cancel(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    group = site.desk.cancel_group(number(request), by=viewer_of(request).name)
    return moved(request, f"/groups/{group.id}")


def _resume(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    group = site.desk.resume_group(number(request), by=viewer_of(request).name)
    return moved(request, f"/groups/{group.id}")
