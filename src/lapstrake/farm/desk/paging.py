"""Keyset pages: each says where the next one begins; no page is found by counting rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sqlalchemy import Select

from lapstrake.farm.problems import Invalid
from lapstrake.farm.values.lists import Page

R = TypeVar("R")
T = TypeVar("T")

_MOMENT = re.compile(r"(\d{1,12}\.\d{1,9})-(\d{1,18})\Z")

MOST = 200
"""Rows of a page."""


def number_after(after: str) -> int | None:
    """The number that a page begins after; ``None`` for the first page.

    Raises:
        Invalid: it is none.
    """
    if not after:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise _no_place(after)
    return int(after)


def moment_after(after: str) -> tuple[float, int]:
    """The moment and number that a page begins after.

    Raises:
        Invalid: it is none.
    """
    match = _MOMENT.match(after)
    if match is None:
        raise _no_place(after)
    return float(match[1]), int(match[2])


def page_of(
    find: Callable[[Any], Iterable[R]],
    query: Select[*tuple[Any, ...]],
    limit: int,
    value: Callable[[R], T],
    key: Callable[[R], object],
) -> Page[T]:
    """A page of a query that begins where it should.

    Args:
        find: runs it.
        query: ordered.
        limit: rows at most.
        value: of a row.
        key: what the page after a row begins with.

    Raises:
        Invalid: the limit is none from 1 to 200.
    """
    if not 1 <= limit <= MOST:
        raise Invalid(f"limit is from 1 to {MOST}, not {limit}")
    rows = list(find(query.limit(limit + 1)))
    more = len(rows) > limit
    return Page(
        items=tuple(value(row) for row in rows[:limit]),
        next=str(key(rows[limit - 1])) if more else None,
    )


def _no_place(after: str) -> Invalid:
    return Invalid(
        f"after={after[:40]!r} makes no sense",
        resolution="Give what the page before has as `next`.",
    )
