"""Long lists: what the address asks for, and the addresses of more."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from lapstrake.farm.model.states import ENDED
from lapstrake.farm.problems import Invalid
from lapstrake.farm.values.tasks import TaskFilter, TaskState

SHOWN = 50
"""Rows of a list."""
_FIELDS = ("state", "branch", "name", "worker", "owner")
_LONGEST = 200
UNFINISHED = tuple(state for state in TaskState if state not in ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What an address asks of a list.

    Attributes:
        fields: what the list is narrowed to, by name; empty texts for not at all.
        after: where this page begins, empty for at the start.
    """

    fields: dict[str, str]
    after: str = ""

    @property
    def first(self) -> str:
        """The query of the list's beginning."""
        return self._with("")

    def onward(self, next: str) -> str:
        """The query of what follows."""
        return self._with(next)

    @property
    def narrowed(self) -> bool:
        """Whether anything is left out."""
        return any(self.fields.values())

    def _with(self, after: str) -> str:
        said = {name: value for name, value in self.fields.items() if value}
        return "?" + urlencode(said | ({"after": after} if after else {}))


def query_of(request: Request, fields: tuple[str, ...] = _FIELDS) -> Query:
    """Read an address."""
    given = {name: request.query_params.get(name, "")[:_LONGEST] for name in fields}
    return Query(
        fields={name: value.strip() for name, value in given.items()},
        after=request.query_params.get("after", ""),
    )


def task_filter(query: Query) -> TaskFilter:
    """The tasks that an address asks for.

    Raises:
        Invalid: there is no such state.
    """
    fields = query.fields
    return TaskFilter(
        states=_states(fields["state"]),
        branch=fields["branch"],
        name=fields["name"],
        owner=fields["owner"],
        worker=fields["worker"],
    )


def _states(word: str) -> tuple[TaskState, ...]:
    if word in {"", "any"}:
        return ()
    if word in {"unfinished", "ended"}:
        return UNFINISHED if word == "unfinished" else tuple(sorted(ENDED))
    try:
        return (TaskState(word),)
    except ValueError:
        raise Invalid(
            f"there is no state {word!r}",
            resolution=f"It is one of: {', '.join(TaskState)}, unfinished, ended.",
        ) from None
