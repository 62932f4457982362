"""Groups: tasks that need each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lapstrake.farm.values.tasks import TaskSpec, TaskState


class GroupState(StrEnum):
    """How a group stands."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """A member of a group to be.

    Attributes:
        name: unique in the group.
        spec: what to build; its branch is the group's when it has none.
        needs: the members that must be published before; ``None`` to find out from the bundles.
        priority: added to the group's.
    """

    name: str
    spec: TaskSpec
    needs: tuple[str, ...] | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """A group to be.

    Attributes:
        name: what people call it.
        branch: for members that name none.
        members: in any order.
        stop: start nothing more after the first failure; otherwise all goes on that can.
        priority: of all members.
    """

    name: str = ""
    branch: str = ""
    members: tuple[MemberSpec, ...] = ()
    stop: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a group as it stands."""

    name: str
    task: int
    state: TaskState
    needs: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tasks that need each other."""

    id: int
    name: str
    branch: str
    state: GroupState
    owner: str = ""
    stop: bool = False
    priority: int = 0
    created: float = 0.0
    finished: float = 0.0
    members: tuple[Member, ...] = ()
