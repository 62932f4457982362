"""What builds leave that were killed: workspaces, and containers that still run.

Containers are children of the engine's daemon: no signal to our processes reaches them. So they
are labelled with whose they are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from lapstrake.config.model import Config
from lapstrake.errors import LapstrakeError, RunnerError
from lapstrake.farm.values.attempts import Job
from lapstrake.farm.worker.setup import WorkerSetup, home_folder, worker_folder
from lapstrake.host.cgroup import ControlGroup
from lapstrake.host.files import remove_tree

_LOG = logging.getLogger("lapstrake.farm.worker")
_WORKER = "lapstrake.worker"
_EXECUTOR = "lapstrake.executor"
_TASK = "lapstrake.task"


def labels(worker: str, executor: str, job: Job) -> Mapping[str, str]:
    """What the containers of a job are labelled with."""
    return {_WORKER: worker, _EXECUTOR: executor, _TASK: f"{job.task}/{job.attempt}"}


def remove_of_executor(setup: WorkerSetup, config: Config, executor: str) -> None:
    """Remove what a slot that ended, or whose build was killed, left.

    Args:
        setup: the worker's.
        config: as it was when that began; it may be wrong by now.
        executor: the slot's name.
    """
    _remove_containers(config, f"{_EXECUTOR}={executor}")
    _remove_workspaces(setup, config)


def remove_of_worker(setup: WorkerSetup) -> None:
    """Remove what a former process of the worker left."""
    config = setup.config()
    remove_tree(worker_folder(config, setup.name))
    _remove_containers(config, f"{_WORKER}={setup.name}")
    _remove_workspaces(setup, config)


def store_folder(setup: WorkerSetup, config: Config) -> Path:
    """Where a worker has its layers and workspaces; see `lapstrake.farm.worker.sync`."""
    own = config.work_dir if setup.embedded else home_folder(config)
    return own / ".builder" / "store"


def groups_of_executor(config: Config, executor: str) -> tuple[ControlGroup, ...]:
    """The control groups of the containers that a slot's build runs in now.

    Raises:
        RunnerError: the engine does not answer.
    """
    from lapstrake.host.engine import find_engine

    engine = find_engine(config.runner.docker)
    found = []
    for name in engine.labelled("container", f"{_EXECUTOR}={executor}"):
        facts = engine.inspect("container", name)
        number = facts["State"]["Pid"] if facts else 0
        group = ControlGroup.of_process(number, name) if number else None
        found += [group] if group else []
    return tuple(found)


def _remove_workspaces(setup: WorkerSetup, config: Config) -> None:
    """Remove those that nobody holds any more."""
    from lapstrake.layer.store import LayerStore

    folder = store_folder(setup, config)
    try:
        if folder.is_dir():
            LayerStore(folder).recover()
    except (LapstrakeError, OSError) as failed:  # the next build tries again, and says more
        _LOG.warning("what a killed build left stays: %s", failed)


def _remove_containers(config: Config, label: str) -> None:
    from lapstrake.host.engine import find_engine

    try:
        engine = find_engine(config.runner.docker)
        left = engine.labelled("container", label)
    except RunnerError:  # there is no engine: then there are no containers
        return
    engine.remove(left)
