"""What the processes of a worker are told when they start."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lapstrake.config.load import load_config
from lapstrake.config.model import Config
from lapstrake.farm.monitor.logs import LogForm
from lapstrake.farm.monitor.ready import without_notices
from lapstrake.farm.values.attempts import Job
from lapstrake.farm.values.scopes import TOKEN_VARIABLE
from lapstrake.farm.values.workers import WorkerFacts

LOCAL = "local"
"""The capability that a worker only has if its user says so: uploaded projects may be built on the
machine itself, by the builder `local`, and not only in roots and containers."""
SECRETS = "secrets"
"""Likewise: whoever may submit a bundle may have it read the secrets of the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What holds for all processes of a worker.

    Attributes:
        server: the server's address.
        token: shown to it.
        name: the worker's.
        embedded: whether it is the server's own builder, in the server's work folder.
        config_dir: the configuration's folder, as ``-c`` names it.
        overrides: settings of the command line, key → text.
        log_form: how the processes tell what they do, on standard error.
    """

    server: str
    token: str = field(default="", repr=False)
    name: str
    embedded: bool = False
    config_dir: Path | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    log_form: LogForm = LogForm.TEXT

    def config(self) -> Config:
        """The configuration, read anew."""
        return load_config(self.config_dir, overrides=self.overrides)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSetup:
    """What a slot's process is told: the first line that it reads.

    Attributes:
        worker: what holds for all.
        number: the slot's, from 1.
        executor: the engine's name of this very process.
        facts: what the worker said of itself.
        engine: the engine's address.
        fence: seconds without the engine after which the build is killed.
    """

    worker: WorkerSetup
    number: int
    executor: str
    facts: WorkerFacts
    engine: str
    fence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSetup:
    """What a build's process is told.

    Attributes:
        worker: what holds for all.
        job: what to build.
        folder: the attempt's; its output, result and log go there.
        executor: the slot's name, for labels.
        capabilities: what the worker has.
    """

    worker: WorkerSetup
    job: Job
    folder: Path
    executor: str
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFolder:
    """The files of one attempt on the worker.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def log(self) -> Path:
        """What is shipped to the server as the log."""
        return self.path / "log"

    @property
    def begun(self) -> Path:
        """There when all is fetched, and the build itself runs."""
        return self.path / "begun"

    @property
    def result(self) -> Path:
        """The `Result`, when the build's process got so far."""
        return self.path / "result.json"

    @property
    def bundle(self) -> Path:
        """The folder in which the bundle's is."""
        return self.path / "bundle"

    @property
    def remains(self) -> Path:
        """The build folder of a build that failed, packed, when that is wanted."""
        return self.path / "remains.tar.gz"

    @property
    def output(self) -> Path:
        """The files that the build made."""
        return self.path / "output"


def home_folder(config: Config) -> Path:
    """Where a remote worker keeps its copy of the server's branches, layers and sources.

    It lies apart: what the machine's user builds in the same work folder stays as it is.
    """
    return config.work_dir / "worker"


def worker_folder(config: Config, name: str) -> Path:
    """The folder of a worker's own files: its attempts, its lock."""
    return config.work_dir / "farm" / "workers" / name


def program(module: str) -> list[str]:
    """The command line that runs a module of ours with this interpreter."""
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """Our environment without the token, and without what lets us speak to systemd."""
    return {
        name: text for name, text in without_notices(os.environ).items() if name != TOKEN_VARIABLE
    }


def bounded(config: Config, job: Job, capabilities: tuple[str, ...]) -> Config:
    """The configuration with the limits that a job has besides, and no secrets unless allowed."""
    if SECRETS not in capabilities:
        config = replace(config, secrets={})
    limits = replace(
        config.limits,
        time=_lower(config.limits.time, job.spec.seconds),
        memory=_least(config.limits.memory, job.spec.memory),
    )
    jobs = job.reserved_cores or config.build.jobs
    return replace(config, limits=limits, build=replace(config.build, jobs=jobs))


def _lower(own: float | None, asked: float) -> float | None:
    return min(own, asked) if own and asked else own or asked or None


def _least(own: int | None, asked: int) -> int | None:
    return min(own, asked) if own and asked else own or asked or None
