"""What a worker says to the server and hears from it; see ``POST /api/v1/workers/register`` etc."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from lapstrake.farm.client.http import Connection
from lapstrake.farm.engine.base import RunId
from lapstrake.farm.problems import WrongState
from lapstrake.farm.values.attempts import Job, ResourceSample, Result
from lapstrake.farm.values.tasks import OutputFile, Task
from lapstrake.farm.values.workers import Heartbeat, Orders, Welcome, WorkerFacts

_API = "/api/v1"


class Link:
    """The worker's calls, typed. All raise `Problem`, or `UnreachableError` when patience ends.

    Args:
        connection: to the server.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def register(self, facts: WorkerFacts) -> Welcome:
        """Come to the farm; `WrongState` when another worker of the name lives."""
        return self.connection.send(Welcome, "POST", f"{_API}/workers/register", facts)

    def heartbeat(self, name: str, beat: Heartbeat) -> Orders:
        """Say that we live; `WrongState` when the server knows another of our name by now."""
        path = f"{_API}/workers/{quote(name, safe='')}/heartbeat"
        return self.connection.send(Orders, "POST", path, beat)

    def goodbye(self, name: str, incarnation: str) -> None:
        """Leave."""
        path = f"{_API}/workers/{quote(name, safe='')}/goodbye"
        self.connection.call("POST", path, json={"incarnation": incarnation})

    def claim(self, run: RunId, *, worker: str, incarnation: str, executor: str) -> Job:
        """Begin an attempt; `WrongState` when there is nothing to do any more."""
        said = {
            "round": run.round,
            "worker": worker,
            "incarnation": incarnation,
            "executor": executor,
        }
        return self.connection.send(Job, "POST", f"{_API}/tasks/{run.task}/claim", said)

    def set_state(self, job: Job, state: str) -> None:
        """Tell what an attempt does; `WrongState` when it is not ours any more."""
        self.connection.call("PUT", f"{_attempt(job)}/state", json={"state": state})

    def append_log(self, job: Job, offset: int, data: bytes) -> int:
        """Add to an attempt's log; gives its size, which is another one if it lacks something.

        Raises:
            WrongState: the attempt is not ours any more.
        """
        try:
            answer = self.connection.call(
                "PATCH",
                f"{_attempt(job)}/log",
                body=data,
                params={"offset": offset},
                headers={"Content-Type": "application/octet-stream"},
            )
        except WrongState as refused:
            size = refused.fields.get("size")
            if isinstance(size, int) and not refused.fields.get("lost"):
                return size
            raise
        return int(answer.json()["size"])

    def add_samples(self, job: Job, samples: Sequence[ResourceSample]) -> None:
        """Hand in what was measured."""
        self.connection.call("POST", f"{_attempt(job)}/samples", json=list(samples))

    def finish(self, job: Job, result: Result) -> Task:
        """Hand in how it ended; `WrongState` when that is of no interest any more."""
        return self.connection.send(Task, "POST", f"{_attempt(job)}/result", result)

    def fetch(self, digest: str, target: Path, *, size: int = 0) -> None:
        """Download content, resumed where it broke off, and verified.

        Args:
            digest: ``sha256:…``.
            target: the file that it becomes.
            size: bytes, 0 if unknown.

        Raises:
            ChecksumError: it comes with another digest.
        """
        from lapstrake.farm.client.downloads import download

        wanted = OutputFile(name=target.name, digest=digest, size=size)
        download(self.connection, f"{_API}/content/{digest}", wanted, target.parent)

    def share(self, file: Path, digest: str = "") -> str:
        """Upload a file, unless the server has it; gives its digest."""
        from lapstrake.farm.client.uploads import upload

        return upload(self.connection, file, digest)


def _attempt(job: Job) -> str:
    return f"{_API}/tasks/{job.task}/attempts/{job.attempt}"
