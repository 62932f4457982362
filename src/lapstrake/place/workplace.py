"""Where work happens: one configuration, its layer store, one runner, somebody who listens."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lapstrake.config.model import Config
from lapstrake.host.locks import locked
from lapstrake.layer.store import LayerStore
from lapstrake.names import BranchName
from lapstrake.progress import Progress
from lapstrake.runner.base import Limits, Runner
from lapstrake.runner.choose import choose, load
from lapstrake.source.rules import Elsewhere


@dataclass(frozen=True)
class Workplace:
    """What every command that touches roots works with.

    On disk, below the configuration's ``work_dir``::

        .builder/store/              the layers
        .builder/base.json           which layer is the base OS
        .builder/branches/NAME.json  which layers a branch is made of, now and before
        .builder/locks/              locks between commands
        .builder/resolved/           what apt made of dependencies
        .builder/packages/           package files, by their SHA-256
        plans/                       which packages share a layer, learnt by each branch
        output/BRANCH/               the branch's repository
        .builder/arch/ARCH/          base OS and branches of another architecture, likewise
        images/                      images that were made or pushed, unless they are in a bucket
        builds/                      records and logs
        keys/                        the key that signs

    Attributes:
        config: the configuration.
        runner: how commands run.
        progress: hears what is done.
        home: the place of the configured architecture, when this one is of another; see
            `lapstrake.place.foreign`.
        elsewhere: who is asked for sources before the rest of the world is.
    """

    config: Config
    runner: Runner
    progress: Progress
    home: Workplace | None = None
    elsewhere: Elsewhere | None = None

    @property
    def private(self) -> Path:
        """Everything that is nobody else's business."""
        if self.home is not None:
            return self.home.private / "arch" / self.config.arch
        return self.config.work_dir / ".builder"

    @functools.cached_property
    def store(self) -> LayerStore:
        """The layer store, one for all architectures; made when missing.

        Roots have programs that run with their owner's rights (set-id): nobody else may reach them.
        """
        if self.home is not None:
            return self.home.store
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.private.stat().st_mode & 0o077:
            self.private.chmod(0o700)
        return LayerStore(self.private / "store")

    @property
    def kept(self) -> Path:
        """The folder of workspaces that users wanted to keep; for its owner alone, too."""
        return self.config.work_dir / "kept"

    @functools.cached_property
    def layer_runner(self) -> Runner:
        """What makes layers: it must mount, which an engine's containers and `local` do not.

        Raises:
            RunnerError: this host can use none that does.
        """
        return self.runner if self.runner.mounts else choose("auto")

    @functools.cached_property
    def light_runner(self) -> Runner:
        """What runs programs of ours in a root, of whose doings no more is kept than plain files.

        Namespaces of our own are there in half the time that nspawn takes, also for root.
        """
        light = load("userns")
        return self.layer_runner if any(lack.blocks for lack in light.probe()) else light

    def output(self, branch: BranchName) -> Path:
        """The folder of a branch's repository."""
        return self.config.work_dir / "output" / branch.text

    @property
    def builds(self) -> Path:
        """The folder of build records."""
        return self.config.work_dir / "builds"

    @property
    def limits(self) -> Limits:
        """What the configuration lets a build use."""
        limits = self.config.limits
        return Limits(
            seconds=limits.time,
            memory=limits.memory,
            disk=limits.disk,
            processes=limits.processes,
            cpus=limits.cpus,
        )

    @contextmanager
    def lock(self, name: str, *, what: str) -> Iterator[None]:
        """Keep others out of something of ours; says so when it has to wait."""
        path = self.private / "locks" / name
        with locked(path, what=what, on_wait=self.progress.headline):
            yield
