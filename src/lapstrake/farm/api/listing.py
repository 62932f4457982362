"""Lists by pages: keyset only, so that the thousandth page costs what the first one does."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from lapstrake.farm.api.requests import LARGEST, Text
from lapstrake.farm.api.state import StateOf
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import Task, TaskFilter, TaskState

_PAGE_BEFORE = "`next` of the page before"
After = Annotated[str, Query(pattern=r"^[0-9]{0,18}$", description=_PAGE_BEFORE)]
AfterMoment = Annotated[
    str, Query(pattern=r"^([0-9]{1,12}\.[0-9]{1,9}-[0-9]{1,18})?$", description=_PAGE_BEFORE)
]
Limit = Annotated[int, Query(ge=1, le=200)]


def _tasks(
    desk: StateOf,
    *,
    after: After = "",
    limit: Limit = 50,
    state: Annotated[list[TaskState] | None, Query()] = None,
    branch: Text = "",
    group: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    name: Text = "",
    owner: Text = "",
    worker: Text = "",
) -> Page[Task]:
    wanted = TaskFilter(
        states=tuple(state or ()),
        branch=branch,
        group=group,
        name=name,
        owner=owner,
        worker=worker,
    )
    return desk.desk.tasks(wanted, after=after, limit=limit)


ListedTasks = Annotated[Page[Task], Depends(_tasks)]
"""For handlers: the tasks that the query asks for."""
