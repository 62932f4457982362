"""``/api/v1/groups``: tasks that need each other."""

from __future__ import annotations

from fastapi import APIRouter

from lapstrake.farm.api.listing import After, Limit
from lapstrake.farm.api.requests import GroupBody, Id, Key
from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.values.groups import Group
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import Task, TaskFilter

router = APIRouter(prefix="/api/v1/groups", tags=["groups"])


@router.post("", status_code=201)
def submit(state: StateOf, viewer: ViewerOf, body: GroupBody, key: Key = "") -> Group:
    """Make a group and start it: each member as soon as what it needs is published."""
    return state.desk.submit_group(body.value(), viewer.name, key=key)


@router.get("")
def list_groups(state: StateOf, after: After = "", limit: Limit = 50) -> Page[Group]:
    """Groups, newest first."""
    return state.desk.groups(after=after, limit=limit)


@router.get("/{id}")
def group(state: StateOf, id: Id) -> Group:
    """One group, with its members and what they need."""
    return state.desk.group(id)


@router.get("/{id}/tasks")
def tasks(state: StateOf, id: Id, after: After = "", limit: Limit = 50) -> Page[Task]:
    """Its members' tasks."""
    state.desk.group(id)
    return state.desk.tasks(TaskFilter(group=id), after=after, limit=limit)


@router.post("/{id}/cancel")
def cancel(state: StateOf, viewer: ViewerOf, id: Id, key: Key = "") -> Group:
    """Give up all of it that has not ended."""
    return state.desk.cancel_group(id, by=viewer.name, key=key)


@router.post("/{id}/resume")
def resume(state: StateOf, viewer: ViewerOf, id: Id, key: Key = "") -> Group:
    """Build again what failed, was given up or was skipped; what is built stays."""
    return state.desk.resume_group(id, by=viewer.name, key=key)
