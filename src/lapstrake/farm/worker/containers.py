"""The containers of builds: labelled, and killed when the build is.

They are children of the engine's daemon: no signal to our processes reaches them.
"""

from __future__ import annotations

from collections.abc import Mapping

from lapstrake.config.model import Config
from lapstrake.errors import RunnerError
from lapstrake.farm.base import Job
from lapstrake.host.cgroup import ControlGroup

_WORKER = "lapstrake.worker"
_EXECUTOR = "lapstrake.executor"
_TASK = "lapstrake.task"


def labels(worker: str, executor: str, job: Job) -> Mapping[str, str]:
    """What the containers of a job are labelled with."""
    return {_WORKER: worker, _EXECUTOR: executor, _TASK: f"{job.task}/{job.attempt}"}


def remove_of_executor(config: Config, executor: str) -> int:
    """Remove what a slot that ended, or whose build was killed, left; gives how many."""
    return _remove(config, f"{_EXECUTOR}={executor}")


def remove_of_worker(config: Config, worker: str) -> int:
    """Remove what a former process of the worker left; gives how many."""
    return _remove(config, f"{_WORKER}={worker}")


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


def _remove(config: Config, label: str) -> int:
    from lapstrake.host.engine import find_engine

    try:
        engine = find_engine(config.runner.docker)
        left = engine.labelled("container", label)
    except RunnerError:  # there is no engine: then there are no containers
        return 0
    engine.remove(left)
    return len(left)
