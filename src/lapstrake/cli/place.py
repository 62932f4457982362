"""From the command line's options to a `Workplace`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext
from lapstrake.cli.progress import open_progress

if TYPE_CHECKING:
    from lapstrake.config.model import Config
    from lapstrake.place.workplace import Workplace
    from lapstrake.runner.base import Runner


def open_place(
    app: AppContext, *, runner: str | None = None, jobs: int | None = None, recover: bool = True
) -> Workplace:
    """Get the place where a command that enters roots works.

    What killed runs left behind is removed first. The progress is shown until the command ends.

    Args:
        app: the command line's options.
        runner: the runner's name; the configuration's when ``None``.
        jobs: parallel jobs of a build; the configuration's when ``None``.
        recover: whether to remove those leftovers; False for what must change nothing.

    Raises:
        ConfigError: the configuration is wrong.
        RunnerError: this host cannot use the runner; the resolution says what it lacks.
    """
    from lapstrake.host import cgroup
    from lapstrake.repository.signing import end_left_agent
    from lapstrake.runner.choose import choose

    config = app.config
    if jobs is not None:
        config = replace(config, build=replace(config.build, jobs=jobs))
    place = _place(app, config, choose(runner or config.runner.name.value, config.runner))
    if recover:
        place.store.recover()
        end_left_agent(config.work_dir / "keys")
        cgroup.sweep()
    return place


def look_place(app: AppContext) -> Workplace:
    """Get the place of a command that only looks, for which any host will do."""
    from lapstrake.runner.choose import load

    return _place(app, app.config, load("userns"))


def _place(app: AppContext, config: Config, runner: Runner) -> Workplace:
    from lapstrake.place.workplace import Workplace

    progress = open_progress(app.output)
    click.get_current_context().call_on_close(progress.close)
    return Workplace(config=config, runner=runner, progress=progress)
