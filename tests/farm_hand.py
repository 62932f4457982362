"""A worker whose builds are played by hand, over the same calls as a real one's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

ENGINE = "farm.worker_database=postgresql://nobody@127.0.0.1/none"
"""A setting: what lets workers register on SQLite that never ask the engine for work."""


@dataclass(slots=True, kw_only=True)
class HandWorker:
    """A worker that does what a test says, when it says so.

    Attributes:
        client: asks the server, with a worker's token where one is needed.
        name: the worker's.
        slots: how many builds it says it takes.
    """

    client: httpx2.Client
    name: str = "hand"
    slots: int = 2
    arches: tuple[str, ...] = ("amd64",)
    _sizes: dict[int, int] = field(default_factory=dict)
    _attempts: dict[int, int] = field(default_factory=dict)

    def register(self, **facts: object) -> None:
        """Come to the farm."""
        said = {
            "name": self.name,
            "incarnation": "by-hand",
            "arches": self.arches,
            "slots": self.slots,
            "cores": 4,
            "memory": 8 << 30,
            "disk": 100 << 30,
            "version": "0",
            **facts,
        }
        self._post("/api/v1/workers/register", said)

    def leave(self) -> None:
        """Go; what it builds is lost, and built by others."""
        self._post(f"/api/v1/workers/{self.name}/goodbye", {"incarnation": "by-hand"})

    def beat(self, busy: Sequence[int] = (), **more: object) -> None:
        """Say what the slots do."""
        slots = [
            {
                "number": place,
                "executor": f"{self.name}/by-hand/{place}/1",
                "state": "busy" if place < len(busy) else "idle",
                "task": busy[place] if place < len(busy) else None,
                "attempt": self._attempts.get(busy[place], 0) if place < len(busy) else 0,
            }
            for place in range(self.slots)
        ]
        beat = {"incarnation": "by-hand", "slots": slots, "load": 0.7, **more}
        self._post(
            f"/api/v1/workers/{self.name}/heartbeat",
            {"memory_free": 5 << 30, "disk_free": 80 << 30, **beat},
        )

    def claim(self, task: int, round: int = 1, *, executor: str = "") -> int:
        """Take a task and begin to build it; gives the attempt's number."""
        job = self._post(
            f"/api/v1/tasks/{task}/claim",
            {
                "round": round,
                "worker": self.name,
                "incarnation": "by-hand",
                "executor": executor or f"{self.name}/by-hand/0/{task}",
            },
        )
        self._attempts[task], self._sizes[task] = job["attempt"], 0
        self._send("PUT", f"{self._at(task)}/state", json={"state": "building"})
        return int(job["attempt"])

    def write(self, task: int, text: str | bytes) -> None:
        """Add to the log."""
        data = text.encode() if isinstance(text, str) else text
        answer = self._send(
            "PATCH", f"{self._at(task)}/log?offset={self._sizes[task]}", content=data
        )
        self._sizes[task] = answer["size"]

    def sample(self, task: int, samples: Sequence[Mapping[str, float]]) -> None:
        """Tell what it used."""
        self._post(f"{self._at(task)}/samples", samples)

    def finish(
        self,
        task: int,
        *,
        ok: bool = True,
        files: Mapping[str, bytes] | None = None,
        **more: object,
    ) -> None:
        """Bring the result."""
        outputs = [
            {"name": name, "digest": self.upload(data), "size": len(data)}
            for name, data in (files or {}).items()
        ]
        result = {"ok": ok, "outputs": outputs, "exit_code": 0 if ok else 19, **more}
        self._post(f"{self._at(task)}/result", result)

    def upload(self, data: bytes) -> str:
        """Put bytes into the contents; gives their digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        upload = self._post("/api/v1/uploads", {"size": len(data)})["id"]
        self._send("PATCH", f"/api/v1/uploads/{upload}?offset=0", content=data)
        self._send("PUT", f"/api/v1/uploads/{upload}", json={"digest": digest})
        return digest

    def _at(self, task: int) -> str:
        return f"/api/v1/tasks/{task}/attempts/{self._attempts[task]}"

    def _post(self, path: str, value: object) -> Any:
        return self._send("POST", path, json=value)

    def _send(self, method: str, path: str, **more: Any) -> Any:
        answer = self.client.request(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None
