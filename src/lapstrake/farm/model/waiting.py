"""Why a task waits, and what would end it: from facts to words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lapstrake.farm.model import queues, states
from lapstrake.farm.values.groups import Member
from lapstrake.farm.values.tasks import Forecast, TaskState, Wait
from lapstrake.farm.values.workers import SlotState, Worker, WorkerState
from lapstrake.formats.amounts import count_text, duration_text, size_text

_AT_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a task that waits.

    Attributes:
        task: its number.
        state: new, waiting or queued; or with a worker.
        now: the server's time.
        deadline: when it is given up, 0 for never.
        lacks: what a new task lacks.
        same_as: the task that builds the same, if it waits for one.
        needs: the members that it needs.
        queue: where it is queued.
        ahead: tasks in that queue that come first.
        workers: all.
        worker: the one that has it.
        quiet: seconds of silence after which a worker is thought lost.
        unheard: seconds for which the log of its build has said nothing.
        silence: seconds of that after which the build is stopped, 0 for never.
        forecast: when placement thinks it runs.
        reason: what the task says itself.
        room: why the server takes nothing, or empty.
    """

    task: int
    state: TaskState
    now: float
    deadline: float = 0.0
    lacks: tuple[str, ...] = ()
    same_as: int | None = None
    needs: tuple[Member, ...] = ()
    queue: str = ""
    ahead: int = 0
    workers: tuple[Worker, ...] = ()
    worker: str = ""
    quiet: float = 30.0
    unheard: float = 0.0
    silence: float = 0.0
    forecast: Forecast | None = None
    reason: str = ""
    room: str = ""


def waits(facts: Facts) -> tuple[Wait, ...]:
    """All reasons, the one that matters most first; none for a task that goes on or has ended."""
    found = list(_reasons(facts))
    if not found or facts.state not in _WAITING:
        return tuple(found)
    if facts.forecast is not None:
        until = facts.forecast.start - facts.now
        start = f"in {duration_text(until)}" if until > 1 else "at any moment"
        basis = f" ({facts.forecast.basis})" if facts.forecast.basis else ""
        found.append(Wait(reason=f"it is thought to start {start}{basis}"))
    if facts.deadline:
        left = duration_text(max(0.0, facts.deadline - facts.now))
        found.append(Wait(reason=f"if nothing changes it is given up in {left}"))
    return tuple(found)


_WAITING = frozenset({TaskState.NEW, TaskState.WAITING, TaskState.QUEUED})


def _reasons(facts: Facts) -> Iterable[Wait]:
    if facts.state is TaskState.NEW:
        lacks = facts.lacks or ("the word to build",)
        yield Wait(
            reason=f"it lacks {' and '.join(lacks)}",
            advice="Give it what it lacks, then start it (PUT build).",
        )
    elif facts.state is TaskState.WAITING:
        yield from _others(facts)
    elif facts.state is TaskState.QUEUED:
        yield from _machines(facts)
    elif facts.state is TaskState.PUBLISHING and facts.reason:
        yield Wait(reason=f"it is published as soon as that is possible: {facts.reason}")
    elif facts.state in states.RUNNING:
        yield from _silence(facts)


def _others(facts: Facts) -> Iterable[Wait]:
    """The tasks that it waits for."""
    if facts.same_as is not None:
        yield Wait(
            reason=f"task {facts.same_as} builds the same; this one shares its result",
            advice=f"`lapstrake why {facts.same_as}` says how that one stands.",
            task=facts.same_as,
        )
        return
    open_needs = [need for need in facts.needs if need.state is not TaskState.SUCCESS]
    for need in open_needs[:_AT_MOST]:
        yield Wait(reason=f"it needs {need.name}, which is {need.state}", task=need.task)
    if len(open_needs) > _AT_MOST:
        yield Wait(reason=f"it needs {len(open_needs) - _AT_MOST} more members of its group")


def _machines(facts: Facts) -> Iterable[Wait]:
    """Why no machine has taken it."""
    if facts.room:
        yield Wait(reason=facts.room, advice="Make room on the server.")
    able = [w for w in facts.workers if queues.serves(w.facts, facts.queue)]
    ready = [w for w in able if w.state is WorkerState.ONLINE]
    if not ready:
        yield from _nobody(facts, able)
        return
    if facts.ahead:
        yield Wait(reason=f"{count_text(facts.ahead, 'task')} in {facts.queue} come first")
    slots = [slot for worker in ready for slot in worker.slots]
    names = ", ".join(worker.facts.name for worker in ready[:_AT_MOST])
    if facts.queue.startswith("worker."):
        yield Wait(reason=f"it is kept for {names}")
    busy = [slot for slot in slots if slot.state is SlotState.BUSY]
    if slots and len(busy) == len(slots):
        first = busy[0].task if len(busy) == 1 else None
        yield Wait(reason=f"{count_text(len(slots), 'slot')} of {names}: all are busy", task=first)
    elif not facts.ahead:
        yield Wait(reason=f"{names} takes it in a moment")


def _nobody(facts: Facts, able: Sequence[Worker]) -> Iterable[Wait]:
    """Why there is no machine for it at all."""
    for worker in able[:_AT_MOST]:
        name, silent = worker.facts.name, duration_text(max(0.0, facts.now - worker.seen))
        if worker.state is WorkerState.DRAINING and worker.told:
            yield Wait(
                reason=f"worker {name} could build it, but drains",
                advice=f"`lapstrake farm drain {name} --off` lets it take tasks again.",
            )
        elif worker.state is WorkerState.DRAINING:
            free = size_text(worker.disk_free)
            yield Wait(
                reason=f"worker {name} could build it, but takes nothing new: it is being stopped, "
                f"has too little room ({free} free) or a wrong configuration",
                advice="Its log says which. Make room on its disk (farm.disk_low), correct the "
                "configuration, or start it again.",
            )
        elif worker.state is WorkerState.SILENT:
            yield Wait(
                reason=f"worker {name} could build it, but has been silent for {silent}",
                advice="See whether that machine runs and reaches the server.",
            )
        else:
            yield Wait(
                reason=f"worker {name} could build it, but has left", advice="Start it again."
            )
    if able:
        return
    words = facts.queue.split(".")
    command = "lapstrake worker --server URL"
    if words[0] == "worker":
        reason, command = f"there is no worker {words[1]}", f"{command} --name {words[1]}"
    else:
        reason = f"it needs a worker for {' '.join(words[1:])}"
        command += "".join(f" --capability {word}" for word in queues.named(facts.queue))
    yield Wait(reason=reason, advice=f"Start one: {command}.")
    for worker in [w for w in facts.workers if w.state is not WorkerState.GONE][:_AT_MOST]:
        lacking = ", ".join(queues.missing(worker.facts, facts.queue))
        yield Wait(reason=f"worker {worker.facts.name} cannot: {lacking}")


def _silence(facts: Facts) -> Iterable[Wait]:
    """Whether the machine that has it still lives, and its build still says something."""
    if facts.state is TaskState.BUILDING and 0 < facts.silence < 2 * facts.unheard:
        yield Wait(
            reason=f"its log has said nothing for {duration_text(facts.unheard)}; it is stopped "
            f"after {duration_text(facts.silence)}"
        )
    for worker in facts.workers:
        silent = facts.now - worker.seen
        if worker.facts.name == facts.worker and silent > facts.quiet / 2:
            yield Wait(
                reason=f"worker {facts.worker} has been silent for {duration_text(silent)}; others "
                f"may take the task after {duration_text(facts.quiet)}"
            )
