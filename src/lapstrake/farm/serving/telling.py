"""What happens on the farm, told in the server's log: a line each, with whom it is about."""

from __future__ import annotations

import logging

from lapstrake.farm.monitor.logs import about
from lapstrake.farm.values.history import Event

_LOG = logging.getLogger("lapstrake.farm.events")
_WRONG = frozenset({"task.error", "worker.silent"})
_ROUTINE = frozenset({"task.new", "task.waiting", "task.fetching", "task.publishing"})


def tell_event(event: Event) -> None:
    """Tell an event; steps that each task takes, and between which nothing can be done, are not.

    Args:
        event: that has happened.
    """
    if event.kind in _ROUTINE:
        return
    fields = {"task": event.task, "group": event.group, "worker": event.worker}
    with about(**{name: value for name, value in fields.items() if value}):
        level = logging.WARNING if event.kind in _WRONG else logging.INFO
        _LOG.log(level, "%s", f"{event.kind}: {event.text}" if event.text else event.kind)
