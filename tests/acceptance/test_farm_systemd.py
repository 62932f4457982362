"""The shipped units under a systemd that runs: start, build, reload, crash, freeze and stop."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from farm_worker import engine_setting, until
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.operations.units import unit_texts
from lapstrake.farm.tables.database import Database, address
from lapstrake.farm.tables.migrate import upgrade
from lapstrake.farm.values.scopes import Scope
from machine import Machine, running_machine
from roots import clone
from shop import Shop

_SERVER, _WORKER, _ANY = "lapstrake-serve", "lapstrake-worker@w1", "lapstrake-worker@"
_URL = "http://127.0.0.1:7400"


@contextmanager
def farm(base_work_dir: Path, folder: Path) -> Iterator[tuple[Machine, str]]:
    """A machine with the units and a configuration, nothing started; and an admin's token."""
    work_dir = clone(base_work_dir, folder / "server")
    clone(base_work_dir, folder / "worker" / "w1")
    tokens = _tokens(work_dir)
    binds = {folder: str(folder), folder / "worker": "/var/lib/lapstrake-worker"}
    with running_machine(binds) as machine:
        shutil.copytree(
            work_dir / "conf" / "source_lists", machine.root / "etc/lapstrake/source_lists"
        )
        machine.write("/etc/lapstrake/config.toml", _configuration(work_dir, "90d"))
        machine.write("/etc/lapstrake/worker-w1.token", tokens["worker"])
        for name, text in unit_texts().items():
            machine.write(f"/etc/systemd/system/{name}", text)
        for unit, quick in ((_SERVER, "WatchdogSec=5s\nRestartSec=100ms\n"), (_ANY, "")):
            path = f"/etc/systemd/system/{unit}.service.d/test.conf"
            sources = f"Environment=PYTHONPATH={machine.sources}\n"
            machine.write(path, f"[Service]\n{sources}{quick}")
        machine.run("systemctl", "daemon-reload")
        yield machine, tokens["admin"]


def _tokens(work_dir: Path) -> dict[str, str]:
    """An admin's and a worker's."""
    folder = work_dir / "farm"
    folder.mkdir(mode=0o700)
    database = Database(address("", folder))
    upgrade(database)
    tokens = Tokens(database)
    made = {scope: tokens.add(scope, Scope(scope))[1] for scope in ("admin", "worker")}
    database.close()
    return made


def _configuration(work_dir: Path, keep: str) -> str:
    engine = engine_setting(work_dir).partition("=")[2]
    return (
        f'work_dir = "{work_dir}"\n[base]\nvariant = "apt"\n[refresh]\nmode = "never"\n'
        f'[farm]\nslots = 0\nserver = "{_URL}"\nkeep = "{keep}"\nworker_database = "{engine}"\n'
        'disk_low = "64MiB"\n'
    )


@pytest.mark.slow
def test_the_units_do_what_they_say(base_work_dir: Path, tmp_path: Path) -> None:
    with farm(base_work_dir, tmp_path) as (machine, token):
        shop = Shop(work_dir=tmp_path / "server")
        machine.run("systemctl", "enable", "--now", _SERVER, _WORKER)
        assert _state(machine, _SERVER) == _state(machine, _WORKER) == ("active", "0")
        assert machine.unit(_SERVER, "StatusText")["StatusText"] == f"serving on {_URL}"

        machine.write("/etc/lapstrake/config.toml", _configuration(shop.work_dir, "91d"))
        machine.run("systemctl", "reload", _SERVER)
        until(lambda: "farm.keep: changed" in machine.journal())

        bundle = shop.bundle("steady", steps={"build": "sleep 3"})
        machine.lapstrake("task", "submit", str(bundle), "stable", token=token)
        until(lambda: "begins attempt 1 of steady" in machine.journal(), 60)
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", _SERVER)
        machine.run("systemctl", "stop", _WORKER)  # what it builds, and the server's watchdog

        assert _how_it_ended(machine, _WORKER) == ("success", "0")
        assert _state(machine, _SERVER) == ("active", "1")
        shown = json.loads(machine.lapstrake("task", "show", "1", "--json", token=token))
        assert (shown["task"]["state"], len(shown["attempts"])) == ("success", 1)
        machine.run("systemctl", "stop", _SERVER)
        assert _how_it_ended(machine, _SERVER) == ("success", "0")
        assert "Traceback" not in machine.journal()


def _state(machine: Machine, unit: str) -> tuple[str, str]:
    """Whether it runs, and how often systemd has started it again."""
    found = machine.unit(unit, "ActiveState", "NRestarts")
    return found["ActiveState"], found["NRestarts"]


def _how_it_ended(machine: Machine, unit: str) -> tuple[str, str]:
    """What systemd says of its stop, and its exit status."""
    found = machine.unit(unit, "Result", "ExecMainStatus")
    return found["Result"], found["ExecMainStatus"]
