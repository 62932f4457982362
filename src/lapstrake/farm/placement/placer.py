"""From the farm's tasks and workers to where each should wait, how urgent, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lapstrake.config.model import PlacementKind
from lapstrake.farm.model import queues, states
from lapstrake.farm.placement.assign import Found, least_makespan, quick
from lapstrake.farm.placement.base import Load, Machine, Place, Placed
from lapstrake.farm.placement.critical import LEVELS, ranks, urgency
from lapstrake.farm.placement.estimates import Estimates
from lapstrake.farm.placement.simulate import Busy
from lapstrake.farm.values.tasks import Forecast, Task, TaskState
from lapstrake.farm.values.workers import Worker, WorkerState

_STAGES = 4
"""Waiting tasks for each slot up to which all are bound to machines, not only the next ones."""
_OVERDUE = 0.1
"""What is left, as a part of the estimate, of a build that takes longer than estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The farm at one moment.

    Attributes:
        now: the server's time.
        tasks: all that have not ended.
        edges: for each of them, those of them that must end before.
        workers: all.
        estimates: from the history.
        held: the processors of builds that run; 0 for a share of their workers'.
    """

    now: float
    tasks: Sequence[Task]
    edges: Mapping[int, Sequence[int]]
    workers: Sequence[Worker]
    estimates: Estimates
    held: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What placement found out.

    Attributes:
        places: by task that waits.
        forecasts: by task that waits or runs, as far as one can tell.
    """

    places: Mapping[int, Place] = field(default_factory=dict)
    forecasts: Mapping[int, Forecast] = field(default_factory=dict)


def make_plan(situation: Situation, kind: PlacementKind) -> Plan:
    """Place all tasks that wait.

    Tasks stay in the queues of their requirements, and whoever is free takes the most urgent one,
    where that is as good as a plan. Else those that are next on each machine are bound to it; what
    is bound and not planned there any more goes back to the queue of its requirements.
    """
    return _Planner(situation, kind).plan()


class _Planner:
    def __init__(self, situation: Situation, kind: PlacementKind) -> None:
        self.now, self.kind, self.held = situation.now, kind, situation.held
        self.estimates, self.workers = situation.estimates, situation.workers
        self.tasks = {
            task.id: task
            for task in situation.tasks
            if task.same_as is None and task.state in states.RUNNING | states.NOT_BEGUN
        }
        self.followers = [task for task in situation.tasks if task.same_as is not None]
        self.needs = {
            task: tuple(other for other in situation.edges.get(task, ()) if other in self.tasks)
            for task in self.tasks
        }
        self.machines = [_machine(worker, self.estimates) for worker in self.workers]
        self.index = {machine.name: number for number, machine in enumerate(self.machines)}
        self._able: dict[object, frozenset[str]] = {}

    def plan(self) -> Plan:
        """See `make_plan`."""
        urgent = self._urgencies()
        order = self._possible()
        found = self._find(order) if order else None
        placed = {order[one.load]: one for one in found.schedule.placed} if found else {}
        binds = found is not None and found.bound
        bound = self._bound(placed) if binds else {}
        places = {
            task.id: self._place(urgent[task.id], bound.get(task.id), binds=binds)
            for task in self.tasks.values()
            if task.state in states.NOT_BEGUN and not task.spec.requires.worker
        }
        return Plan(places=places, forecasts=self._forecasts(placed))

    def _urgencies(self) -> dict[int, int]:
        """Of all tasks, even those that no machine can run now."""
        number = {task: n for n, task in enumerate(self.tasks)}
        seconds = [
            self.estimates.work(task.spec.name).value / self.estimates.typical.value
            for task in self.tasks.values()
        ]
        found = ranks(seconds, [[number[o] for o in self.needs[task]] for task in self.tasks])
        return {
            task.id: urgency(task.priority, rank)
            for task, rank in zip(self.tasks.values(), found, strict=True)
        }

    def _possible(self) -> list[int]:
        """The tasks that machines which are here can run, after all that they need."""
        wrong = [
            task.id
            for task in self.tasks.values()
            if task.state in states.NOT_BEGUN and not self._machines_of(task)
        ]
        users: dict[int, list[int]] = {}
        for task, needed in self.needs.items():
            for other in needed:
                users.setdefault(other, []).append(task)
        bad = set(wrong)
        for task in wrong:  # it grows meanwhile
            new = [user for user in users.get(task, ()) if user not in bad]
            wrong += new
            bad.update(new)
        return [
            task.id
            for task in self.tasks.values()
            if task.id not in bad and (task.state in states.NOT_BEGUN or task.worker in self.index)
        ]

    def _machines_of(self, task: Task) -> frozenset[str]:
        """The names of the workers that take tasks like it just now."""
        key = (task.spec.arch, task.spec.requires)
        if key not in self._able:
            queue = queues.queue_of(*key)
            self._able[key] = frozenset(
                worker.facts.name
                for worker in self.workers
                if worker.state is WorkerState.ONLINE and queues.serves(worker.facts, queue)
            )
        return self._able[key]

    def _find(self, order: Sequence[int]) -> Found:
        number = {task: n for n, task in enumerate(order)}
        loads = [self._load(self.tasks[task], number) for task in order]
        busy = [
            self._busy(self.tasks[task], number[task], loads[number[task]])
            for task in order
            if self.tasks[task].state in states.RUNNING
        ]
        find = least_makespan if self.kind is PlacementKind.MAKESPAN else quick
        return find(loads, self.machines, busy=busy)

    def _load(self, task: Task, number: Mapping[int, int]) -> Load:
        appetite = self.estimates.appetite(task.spec.name)
        names = self._machines_of(task) or frozenset([task.worker])
        fit = [self.machines[self.index[name]] for name in names]
        # What is thought to be too large for all of them is only thought to be.
        memory = max((m.memory for m in fit), default=0) or appetite.memory * 2
        disk = max((m.disk for m in fit), default=0) or appetite.disk
        per_core = min(appetite.memory_per_core, memory / 2)
        return Load(
            name=task.spec.name,
            work=self.estimates.work(task.spec.name).value,
            loss=appetite.loss,
            memory=min(appetite.memory, memory - per_core),
            memory_per_core=per_core,
            disk=min(appetite.disk, disk),
            needs=tuple(number[other] for other in self.needs[task.id] if other in number),
            machines=names,
            slowed=self._slowed(task.spec.arch, names),
        )

    def _slowed(self, arch: str, names: frozenset[str]) -> frozenset[tuple[str, float]]:
        """Those of these workers that would emulate, with what that leaves of their speed."""
        return frozenset(
            (worker.facts.name, self.estimates.emulated(worker.facts.name, arch))
            for worker in self.workers
            if worker.facts.name in names and arch in worker.facts.emulated
        )

    def _busy(self, task: Task, number: int, load: Load) -> Busy:
        machine = self.machines[self.index[task.worker]]
        cores = self.held.get(task.id) or machine.share
        part = dict(load.slowed).get(machine.name, 1.0)
        whole = self.estimates.seconds(load.name, machine.name, cores).value / part
        left = max(whole - (self.now - task.started), _OVERDUE * whole)
        return Busy(number, self.index[task.worker], cores, left)

    def _bound(self, placed: Mapping[int, Placed]) -> dict[int, Placed]:
        """Those that wait for their machine: all of few tasks, of many the next of each slot."""
        waiting = [task for task in placed if self.tasks[task].state is TaskState.QUEUED]
        slots = sum(machine.slots for machine in self.machines)
        if len(waiting) <= _STAGES * slots:
            return {task: placed[task] for task in waiting}
        left = [machine.slots for machine in self.machines]
        found = {}
        for task in sorted(waiting, key=lambda one: placed[one].start):
            if left[placed[task].machine] > 0:
                left[placed[task].machine] -= 1
                found[task] = placed[task]
        return found

    def _place(self, priority: int, bound: Placed | None, *, binds: bool) -> Place:
        """What is bound to a machine goes before what that could take besides."""
        band, level = divmod(priority, LEVELS)
        if not binds:
            return Place("", priority)
        if bound is None:
            return Place("", band * LEVELS + level // 2)
        name = self.machines[bound.machine].name
        return Place(queues.worker_queue(name), band * LEVELS + (LEVELS + level) // 2, bound.cores)

    def _forecasts(self, placed: Mapping[int, Placed]) -> dict[int, Forecast]:
        found = {
            task: Forecast(
                start=self.tasks[task].started or self.now + one.start,
                finish=self.now + one.finish,
                basis=self._basis(self.tasks[task].spec.name),
            )
            for task, one in placed.items()
        }
        for task in self.followers:
            if task.same_as in found:
                basis = f"task {task.same_as} builds the same"
                found[task.id] = replace(found[task.same_as], basis=basis)
        return found

    def _basis(self, name: str) -> str:
        builds = self.estimates.work(name).builds
        if builds:
            return f"from {builds} build{'s' if builds > 1 else ''} of {name}"
        if self.estimates.packages:
            return f"{name} was never built here: taken for an average package"
        return "nothing has been built here yet: a guess"


def _machine(worker: Worker, estimates: Estimates) -> Machine:
    facts = worker.facts
    return Machine(
        name=facts.name,
        cores=max(1, facts.cores),
        slots=max(1, facts.slots),
        speed=estimates.speed(facts.name).value,
        memory=facts.memory,
        disk=worker.disk_free or facts.disk,
    )
