"""A worker whose clock is wrong, and a server whose clock is set while there are builds."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from farm_server import farm_server
from farm_worker import engine_setting, farm_worker, pack, submit, until, wait_for
from roots import cli_environment
from shop import Shop

_DAY = 86400.0
# Python runs this before anything else.
_CUSTOMISATION = """
import time
_true = time.time
def _wrong():
    with open({file!r}) as file:
        return _true() + float(file.read())
time.time = _wrong
"""


class Clock:
    """A clock of its own for a program of ours, and all that this starts."""

    def __init__(self, folder: Path, ahead: float) -> None:
        folder.mkdir()
        self._folder, self._file = folder, folder / "ahead"
        self.set(ahead)
        (folder / "sitecustomize.py").write_text(_CUSTOMISATION.format(file=str(self._file)))

    def set(self, ahead: float) -> None:
        """Let it be so many seconds ahead."""
        new = self._file.with_suffix(".new")
        new.write_text(str(ahead))
        new.replace(self._file)

    def variables(self) -> dict[str, str]:
        """Of the program's environment."""
        path = cli_environment(self._folder)["PYTHONPATH"]
        return {"PYTHONPATH": os.pathsep.join([str(self._folder), path])}


def test_clocks_that_differ_and_are_set(work_dir: Path, tmp_path: Path) -> None:
    ours, theirs = Clock(tmp_path / "ours", 0), Clock(tmp_path / "theirs", -2 * _DAY)
    settings = (
        "farm.heartbeat=0.5s", "farm.fence_after=4s", "farm.dead_after=6s", "farm.disk_low=200MiB",
        engine_setting(work_dir),
    )  # fmt: skip
    archive = pack(Shop(work_dir=work_dir).bundle("timely", steps={"build": "sleep 4"}))
    with (
        farm_server(work_dir, settings=settings, variables=ours.variables()) as server,
        server.client() as client,
        farm_worker(server.url, work_dir, "--embedded", variables=theirs.variables()) as worker,
    ):
        task = submit(client, archive)
        wait_for(client, task, "building")
        seen = client.get("/api/v1/workers/w1").json()
        assert seen["skew"] == pytest.approx(-2 * _DAY, abs=60)
        worker.tell(signal.SIGSTOP)  # the server looks before it is heard again
        ours.set(_DAY)
        until(lambda: server.said().count("its clock was set") == 1)
        worker.tell(signal.SIGCONT)
        status = wait_for(client, task)
        assert (status["state"], status["attempt"]) == ("success", 1), server.said()
        ours.set(0)
        until(lambda: server.said().count("its clock was set") == 2)
        worker.tell(signal.SIGKILL)
        until(lambda: client.get("/api/v1/workers/w1").json()["state"] == "silent", 30)
        events = client.get("/api/v1/events", params={"limit": 200}).json()["items"]
        assert [each["kind"] for each in events].count("worker.silent") == 1
