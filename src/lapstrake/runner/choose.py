"""The runners there are, and which one a host uses when nobody says."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, cast

from lapstrake.errors import RunnerError
from lapstrake.runner.base import Network, Runner

if TYPE_CHECKING:
    from lapstrake.config.model import RunnerConfig

RUNNERS = {
    "userns": "lapstrake.runner.userns:UsernsRunner",
    "nspawn": "lapstrake.runner.nspawn:NspawnRunner",
    "docker": "lapstrake.runner.docker:DockerRunner",
    "local": "lapstrake.runner.local:LocalRunner",
}
"""Name → where it lives; imported only when used."""


def load(name: str, settings: RunnerConfig | None = None) -> Runner:
    """Get a runner by name, whether this host can use it or not.

    Args:
        name: a key of `RUNNERS`.
        settings: the configuration's: docker's program, options and image, nspawn's options.
    """
    module, _, attribute = RUNNERS[name].partition(":")
    make = getattr(import_module(module), attribute)
    if name == "docker" and settings is not None:
        made = make(settings.docker, options=settings.docker_options, image=settings.image)
    elif name == "nspawn" and settings is not None:
        made = make(settings.nspawn_options)
    else:
        made = make()
    return cast("Runner", made)


def outward(settings: RunnerConfig) -> Network:
    """What a build that may use the network gets of it.

    Args:
        settings: the configuration's.
    """
    return Network.HOST if settings.host_network else Network.OUTSIDE


def choose(name: str = "auto", settings: RunnerConfig | None = None) -> Runner:
    """Get a runner that this host can use.

    ``auto`` takes nspawn for root and userns for everybody else; root without systemd-nspawn gets
    userns too.

    Raises:
        RunnerError: the host lacks what it needs; the resolution says what.
    """
    if name == "auto":
        candidates = ("nspawn", "userns") if os.geteuid() == 0 else ("userns",)
    else:
        candidates = (name,)
    problems = []
    for candidate in candidates:
        runner = load(candidate, settings)
        lacks = [lack for lack in runner.probe() if lack.blocks]
        if not lacks:
            return runner
        problems += [f"{candidate}: {lack.what}. {lack.remedy}" for lack in lacks]
    raise RunnerError(
        f"the runner {candidates[-1]} cannot be used here",
        details="\n".join(problems),
        resolution="Run `lapstrake doctor` to see all runners.",
    )
