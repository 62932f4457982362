"""A desk with a real database, engine and content store; slots and the time are in our hands."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import text

from lapstrake.config.model import Config
from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents.store import ContentStore, open_contents
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.engine.base import Executor, RunId
from lapstrake.farm.engine.claims import Claims
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.model.queues import serves
from lapstrake.farm.tables.database import Database, address
from lapstrake.farm.tables.migrate import metadata, upgrade
from lapstrake.farm.values.attempts import Job, Result
from lapstrake.farm.values.groups import MemberSpec
from lapstrake.farm.values.tasks import OutputFile, Task, TaskSpec
from lapstrake.farm.values.workers import Heartbeat, Slot, SlotState, WorkerFacts

BRANCHES = {
    "stable": "deb debian:/// bookworm main",
    "testing": "deb debian:/// trixie main",
}


@dataclass
class Clock:
    """The server's time."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A desk and all that it stands on.

    Attributes:
        published: tasks in the order in which they were published.
        failing: raised by publishing, when set.
    """

    folder: Path
    database: Database
    engine: str
    config: Config
    clock: Clock = field(default_factory=Clock)
    published: list[int] = field(default_factory=list)
    failing: LapstrakeError | None = None

    def __post_init__(self) -> None:
        self.contents: ContentStore = open_contents(self.config)
        self.dispatch = DbosDispatch(self.engine)
        self.desk = self._desk()

    def restart(self) -> None:
        """The server is started again: it knows what its databases know."""
        self.desk = self._desk()

    def content(self, text: str) -> str:
        """The digest of an upload."""
        file = self.contents.scratch / f"upload-{abs(hash(text))}"
        file.write_text(text)
        return self.contents.add_file(file)

    def spec(self, name: str, **more: object) -> TaskSpec:
        """What a bundle with that name as its bytes is built from."""
        made = TaskSpec(name=name, bundle=self.content(name), branch="stable", arch="amd64")
        return replace(made, **more)  # type: ignore[arg-type]

    def member(self, name: str, *needs: str) -> MemberSpec:
        """A member of a group."""
        return MemberSpec(name=name, spec=self.spec(name), needs=needs)

    def submit(self, name: str, **more: object) -> Task:
        """Submit what `spec` makes."""
        return self.desk.submit(self.spec(name, **more), "alice")

    def worker(self, name: str = "w1", **facts: object) -> HandSlot:
        """A worker that has come, with one slot that we move."""
        slot = HandSlot(self, name, facts=facts)
        slot.register()
        return slot

    def close(self) -> None:
        """Let go of everything."""
        self.dispatch.close()
        self.database.close()

    def _desk(self) -> Desk:
        return Desk(
            self.database, self.dispatch, self.contents, self._publish, self.config, self.clock
        )

    def _publish(self, task: Task, outputs: Sequence[OutputFile]) -> Sequence[OutputFile]:
        if self.failing is not None:
            raise self.failing
        self.published.append(task.id)
        return [replace(output, published=output.name) for output in outputs]


class HandSlot:
    """A worker with one slot: what its processes would ask and tell, when the test says so."""

    def __init__(
        self, world: World, name: str, *, facts: dict[str, object], incarnation: str = "one"
    ) -> None:
        self.world, self.name, self.incarnation = world, name, incarnation
        self.executor = str(Executor(name, incarnation, 0, 1))
        arches = {"arches": ("amd64",), "cores": 4, "memory": 8 << 30, "disk": 100 << 30}
        self.facts = WorkerFacts(
            name=name,
            incarnation=incarnation,
            clock=world.clock(),
            **{**arches, **facts},  # type: ignore[arg-type]
        )
        self._claims: Claims | None = None

    def register(self) -> None:
        """Come to the farm."""
        self.world.desk.register(self.facts, "token-of-the-worker")

    def beat(self, job: Job | None = None, *, executor: str = "") -> tuple[int, ...]:
        """Live; gives the tasks that the server wants killed."""
        slot = Slot(
            number=0,
            executor=executor or self.executor,
            state=SlotState.BUSY if job else SlotState.IDLE,
            task=job.task if job else None,
            attempt=job.attempt if job else 0,
        )
        beat = Heartbeat(incarnation=self.incarnation, slots=(slot,), clock=self.world.clock())
        return self.world.desk.heartbeat(self.name, beat).cancel

    def take(self) -> Job:
        """Take the engine's next run for us, and claim its task."""
        run = self.take_run()
        assert run is not None, "the engine has nothing for us"
        return self.claim(run)

    def take_run(self) -> RunId | None:
        """Take the engine's next run for us; ``None`` when it has none."""
        if self._claims is None:
            self._claims = Claims(
                self.world.engine, self.executor, lambda queue: serves(self.facts, queue)
            )
        found = self._claims.take()
        return found.run if found else None

    def claim(self, run: RunId) -> Job:
        """Claim the task of a run."""
        return self.world.desk.claim(
            run.task, run.round, self.name, self.incarnation, self.executor
        )

    def finish(self, job: Job, *, ok: bool = True, error: str = "it broke") -> Task:
        """Tell how a job ended; it made one package."""
        made = self.output(f"p{job.task}.deb")
        result = (
            Result(ok=True, outputs=(made,), version="1.0")
            if ok
            else Result(ok=False, error=error, exit_code=14, step="build")
        )
        return self.world.desk.finish(job.task, job.attempt, result)

    def output(self, name: str) -> OutputFile:
        """A file that was made, and uploaded."""
        return OutputFile(name=name, digest=self.world.content(name), size=len(name))

    def build(self) -> Task:
        """Take, build and finish the next task."""
        return self.finish(self.take())


def make_engine(folder: Path) -> Path:
    """An engine's empty database, to be copied: to make one takes a while."""
    file = folder / "engine.db"
    DbosDispatch(f"sqlite:///{file}").close()
    return file


def empty(database: Database) -> None:
    """Forget all rows, and count from one again."""
    names = ", ".join(f'"{name}"' for name in metadata().tables)
    with database.write() as session:
        session.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


def make_world(folder: Path, url: str, engine: Path) -> World:
    """A world in an empty folder.

    Args:
        folder: which.
        url: of its empty database; empty for SQLite.
        engine: of `make_engine`.
    """
    lists = folder / "configuration" / "source_lists"
    lists.mkdir(parents=True)
    for branch, line in BRANCHES.items():
        (lists / f"{branch}.list").write_text(f"{line}\n")
    config = Config(work_dir=folder / "work", folder=lists.parent)
    (config.work_dir / "farm").mkdir(parents=True)
    database = Database(address(url, folder))
    upgrade(database)
    copied = folder / "engine.db"
    shutil.copyfile(engine, copied)
    return World(folder, database, f"sqlite:///{copied}", config)
