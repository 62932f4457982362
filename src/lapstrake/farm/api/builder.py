"""What the farm does right now, in one word and in numbers."""

from __future__ import annotations

from pydantic import BaseModel

from lapstrake.farm.api.state import State
from lapstrake.farm.values.tasks import TaskState
from lapstrake.farm.values.workers import Slot, SlotState, WorkerState


class BuilderStatus(BaseModel):
    """The farm's builders, taken together.

    Attributes:
        state: ``idle``, ``building``, ``loading OS`` or ``updating OS``.
        slots: of all workers that are there.
        tasks: those that are being built.
        arch: of the server.
        cores, memory, disk: sums over the workers; disk and memory are what is free, in bytes.
        workers: that are there.
        queued: tasks that wait for a worker.
    """

    state: str
    slots: list[Slot]
    tasks: list[int]
    arch: str
    cores: int
    memory: int
    disk: int
    workers: int
    queued: int


def builder_status(state: State) -> BuilderStatus:
    """Look at all workers."""
    there = [
        worker
        for worker in state.desk.workers()
        if worker.state in (WorkerState.ONLINE, WorkerState.DRAINING)
    ]
    slots = [slot for worker in there for slot in worker.slots]
    tasks = sorted(slot.task for slot in slots if slot.task is not None)
    busy = any(slot.state is SlotState.BUSY for slot in slots)
    return BuilderStatus(
        state="building" if busy else state.own_work() or "idle",
        slots=slots,
        tasks=tasks,
        arch=str(state.config.arch),
        cores=sum(worker.facts.cores for worker in there),
        memory=sum(worker.memory_free for worker in there),
        disk=sum(worker.disk_free for worker in there),
        workers=len(there),
        queued=state.desk.counts().get(TaskState.QUEUED, 0),
    )
