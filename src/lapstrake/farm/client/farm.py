"""The farm for Python programs.

::

    with Farm("https://farm.example.org", token=os.environ["LAPSTRAKE_TOKEN"]) as farm:
        task = farm.tasks.submit(TaskSpec(branch="stable"), bundle=Path("hello"))
        for piece in farm.tasks.follow(task.id):
            print(piece.attempt, piece.lines)
        farm.tasks.download(task.id, Path("out"))
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import quote

from lapstrake.farm.client.groups import Groups
from lapstrake.farm.client.http import PATIENCE, Connection
from lapstrake.farm.client.tasks import Tasks
from lapstrake.farm.values.workers import Worker

_API = "/api/v1"


class Farm:
    """A farm's server; threads may share one. It is its own context manager.

    Every method raises `lapstrake.farm.problems.Problem` for what the server refuses, and
    `lapstrake.farm.client.answer.UnreachableError` when nobody answers for `patience` seconds.

    Attributes:
        tasks: builds.
        groups: builds that need each other.
        connection: for requests that have no method here.

    Args:
        url: its address, such as ``http://127.0.0.1:7400``.
        token: what allows it; a server that listens on loopback only may need none.
        patience: seconds for which requests are repeated while nobody answers.
        on_wait: told why, once for each request that is repeated.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        patience: float = PATIENCE,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.connection = Connection(url, token, patience=patience, on_wait=on_wait)
        self.tasks = Tasks(self.connection)
        self.groups = Groups(self.connection)

    def __enter__(self) -> Farm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.connection.close()

    def status(self) -> dict[str, Any]:
        """The builders as a whole: ``state``, ``slots``, ``tasks``, ``workers``, ``queued`` ..."""
        return self.connection.get(dict[str, Any], "/builder/status")

    def workers(self) -> tuple[Worker, ...]:
        """The machines that build."""
        return tuple(self.connection.pages(Worker, f"{_API}/workers"))

    def drain(self, worker: str, *, on: bool = True) -> Worker:
        """Let a worker finish what it has and take nothing new; or let it take again."""
        verb = "drain" if on else "resume"
        return self.connection.send(Worker, "POST", f"{_worker(worker)}/{verb}", {})

    def forget(self, worker: str) -> None:
        """Take a worker that is silent or gone off the list."""
        self.connection.call("DELETE", _worker(worker))

    def queue(self) -> list[dict[str, Any]]:
        """The engine's queues: how much waits in each, how long, and why."""
        return self.connection.get(list[dict[str, Any]], f"{_API}/queue")

    def branches(self) -> list[dict[str, Any]]:
        """The branches: name, packages, architectures, when they last changed."""
        return self.connection.get(list[dict[str, Any]], f"{_API}/branches")

    def tokens(self) -> list[dict[str, Any]]:
        """The tokens' names, scopes and ages; never the tokens themselves."""
        return self.connection.get(list[dict[str, Any]], f"{_API}/tokens")


def _worker(name: str) -> str:
    """A worker's address; whatever its name holds, it is nothing else's."""
    return f"{_API}/workers/{quote(name, safe='')}"
