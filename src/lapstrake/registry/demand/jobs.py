"""What is being made, what waits and what failed: one small file and one log for each work.

They are files so that every process of a server sees the same, and a restart forgets no failure. A
work is alive while somebody holds the lock on its log: when a server is killed, the kernel lets go.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from lapstrake.errors import StoreError
from lapstrake.host.files import write_atomic
from lapstrake.host.locks import locked

KEPT_FAILURES = 15
"""How many failed works are remembered."""

KEPT_SUCCESSES = 15
"""Of how many finished works the log is kept."""

LINES = 20
"""How many of a log's last lines an answer has."""

_MOST_LOG = 8 << 20
_TAIL_BYTES = 1 << 14
_LONGEST_LINE = 300


class State(StrEnum):
    """Where a work stands."""

    WAITING = "waiting"
    RUNNING = "running"
    MADE = "made"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One work of making.

    Attributes:
        number: its place in the queue; later ones are greater.
        name: the image, ``shell/git:stable``.
        state: where it stands.
        entered: seconds since 1970 when it was asked for.
        started: when it began; 0 before.
        ended: when it ended; 0 before.
        step: what it does, or did last.
        brief: what went wrong, one line.
        details: what was seen of that.
        missing: packages that do not exist.
    """

    number: int
    name: str
    state: State = State.WAITING
    entered: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    step: str = ""
    brief: str = ""
    details: str = ""
    missing: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in {State.MADE, State.FAILED}


class Jobs:
    """All works, in a folder.

    Args:
        folder: made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._over: set[int] = set()

    def enter(self, name: str) -> JobWriter:
        """Put a work at the end of the queue; it stays alive until the writer is closed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._changing():
            # On a full disk there may be a log alone.
            number = max((*self._numbers(), *self._numbers("log")), default=0) + 1
            return JobWriter(self, Job(number=number, name=name, entered=time.time()))

    def all(self) -> tuple[Job, ...]:
        """All that is remembered, newest first; who died is among the failed."""
        found = (self.find(number) for number in sorted(self._numbers(), reverse=True))
        return tuple(job for job in found if job is not None)

    def find(self, number: int) -> Job | None:
        """One work."""
        job = self._read(number)
        if job is None or job.over or self._is_alive(number):
            return job
        job = self._read(number)  # it may have ended since
        if job is None or job.over:
            return job
        brief = "the server ended while it was made"
        return replace(job, state=State.FAILED, brief=brief, details=self.tail(number))

    def alive(self) -> tuple[Job, ...]:
        """Those that wait or run, the first in the queue first."""
        numbers = set(self._numbers())
        self._over &= numbers
        found = [self.find(number) for number in sorted(numbers - self._over)]
        self._over |= {job.number for job in found if job is not None and job.over}
        return tuple(job for job in found if job is not None and not job.over)

    def position(self, number: int) -> int:
        """How many living works are before this one."""
        return sum(job.number < number for job in self.alive())

    def tail(self, number: int, lines: int = LINES) -> str:
        """The last lines of a work's log."""
        data = self.read_log(number, start=-_TAIL_BYTES)
        return "\n".join(line[:_LONGEST_LINE] for line in data.splitlines()[-lines:])

    def read_log(self, number: int, *, start: int = 0) -> str:
        """A work's log from a byte on (from the end when negative); empty when it is not there."""
        try:
            with self.log(number).open("rb") as log:
                size = os.fstat(log.fileno()).st_size
                log.seek(max(0, size + start) if start < 0 else start)
                return log.read(_MOST_LOG).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def log_size(self, number: int) -> int:
        """Bytes of a work's log."""
        try:
            return self.log(number).stat().st_size
        except FileNotFoundError:
            return 0

    def forget_old(self) -> None:
        """Remove what is beyond the bounds, and logs that are nobody's."""
        room = {State.FAILED: KEPT_FAILURES, State.MADE: KEPT_SUCCESSES}
        with self._changing():
            for job in self.all():
                if job.over:
                    room[job.state] -= 1
                    if room[job.state] < 0:
                        self.file(job.number).unlink(missing_ok=True)
            for number in set(self._numbers("log")) - set(self._numbers()):
                if not self._is_alive(number):
                    self.log(number).unlink(missing_ok=True)

    def file(self, number: int) -> Path:
        """Where a work's facts are."""
        return self.folder / f"{number:08d}.json"

    def log(self, number: int) -> Path:
        """Where a work's log is."""
        return self.folder / f"{number:08d}.log"

    def _read(self, number: int) -> Job | None:
        try:
            document = json.loads(self.file(number).read_bytes())
            state, missing = State(document["state"]), tuple(document["missing"])
            return Job(**{**document, "state": state, "missing": missing})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def _changing(self) -> AbstractContextManager[None]:
        return locked(self.folder / "queue.lock", what="the queue of images")

    def _numbers(self, kind: str = "json") -> Iterator[int]:
        for file in self.folder.glob(f"*.{kind}"):
            if file.stem.isdigit():
                yield int(file.stem)

    def _is_alive(self, number: int) -> bool:
        try:
            descriptor = os.open(self.log(number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


class JobWriter:
    """Who carries a work out; closing it tells that nobody does any more."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self.job = job
        self._jobs = jobs
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._log = os.open(jobs.log(job.number), flags, 0o644)
        fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a number is nobody else's
        self._room = _MOST_LOG
        self.change()

    def change(self, **facts: object) -> None:
        """Change facts of the job, and write them; a full disk does not stop the work itself."""
        self.job = replace(self.job, **facts)  # type: ignore[arg-type]
        data = json.dumps(asdict(self.job)).encode()
        with suppress(OSError):
            write_atomic(self._jobs.file(self.job.number), data, durable=False)

    def write(self, data: bytes) -> None:
        """Add to the log, up to a bound."""
        self._room -= len(data)
        with suppress(OSError):
            if self._room > 0:
                os.write(self._log, data)

    def close(self) -> None:
        """Nobody works on it any more."""
        os.close(self._log)


@contextmanager
def entered(jobs: Jobs, name: str) -> Iterator[JobWriter]:
    """A work in the queue while the block runs."""
    writer = jobs.enter(name)
    try:
        yield writer
    finally:
        writer.close()
        with suppress(OSError, StoreError):  # the next one does it
            jobs.forget_old()
