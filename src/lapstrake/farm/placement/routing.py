"""Which worker may take a task that asks for more than a queue's name can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lapstrake.farm.base import Requirements, TaskSpec, Worker, WorkerState

HELD = "held"
"""The first word of queues that nobody serves: what no worker is large enough for waits there."""


def asks_for_size(requires: Requirements) -> bool:
    """Whether a task must be kept away from workers that are too small."""
    return bool(requires.cores or requires.memory or requires.disk)


def fits(spec: TaskSpec, worker: Worker) -> bool:
    """Whether a worker has all that a task asks for, whatever it does just now."""
    facts, requires = worker.facts, spec.requires
    disk = worker.disk_free or facts.disk
    return (
        spec.arch in facts.arches
        and set(requires.capabilities) <= set(facts.capabilities)
        and requires.worker in ("", facts.name)
        and requires.cores <= facts.cores
        and requires.memory <= facts.memory
        and requires.disk <= disk
    )


def route(spec: TaskSpec, workers: Sequence[Worker], waiting: Mapping[str, int]) -> str:
    """The queue of a task that asks for cores, memory or disk, or for one worker.

    Such a task never waits in a shared queue, where too small a worker could take it.

    Args:
        spec: the task's.
        workers: all that are known.
        waiting: by worker's name, how many tasks it has already, running or waiting for it alone.

    Returns:
        ``worker.NAME`` of the one that has least to do of those that fit, or ``held.ARCH`` when
        there is none.
    """
    able = [w for w in workers if w.state is WorkerState.ONLINE and fits(spec, w)]
    if not able:
        return f"{HELD}.{spec.arch}"
    best = min(able, key=lambda w: (waiting.get(w.facts.name, 0) / w.facts.slots, w.facts.name))
    return f"worker.{best.facts.name}"
