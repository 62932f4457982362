"""``lapstrake task submit|wait``: a bundle here becomes a build there, and files here again."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.errors import message
from lapstrake.cli.farm_connect import JSON, connect, json_text, only_waiting
from lapstrake.cli.farm_requires import REQUIRE, requirements
from lapstrake.cli.farm_tasks import NUMBER
from lapstrake.cli.output import printable, write_stderr
from lapstrake.errors import TaskError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapstrake.farm.client.farm import Farm
    from lapstrake.farm.values.tasks import Task, TaskSpec

T = TypeVar("T", int, float)

_GRACE = 3.0  # seconds
_PRIORITY = click.IntRange(-100, 100)
_FOLLOW = click.option("--follow", "-f", is_flag=True, help="Show the log meanwhile.")
_DOWNLOAD = click.option(
    "--download",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Put what it made there.",
)


@click.command()
@click.argument("bundle")
@click.argument("branch", default="")
@click.option("--arch", default="", help="The machine that builds.  [default: the server's]")
@click.option("--target", default="", help="The machine to cross-compile for.")
@click.option("--priority", type=_PRIORITY, default=0, help="The larger the sooner.")
@click.option("--name", default="", help="What the task is called.  [default: as the bundle]")
@click.option("--network", is_flag=True, help="Let the build reach the network.")
@click.option("--fresh", is_flag=True, help="Build, even if the same was built before.")
@click.option("--keep-failed", is_flag=True, help="If it fails, keep its build folder.")
@click.option("--no-publish", is_flag=True, help="Leave the branch's repository as it is.")
@click.option("--profile", "-P", multiple=True, help="A build profile of a Debian source.")
@click.option("-B", "kind", flag_value="any", help="Debian: only this architecture's packages.")
@click.option("-A", "kind", flag_value="all", help="Debian: only packages for all architectures.")
@click.option("--artifact", "package", metavar="PACKAGE", help="Build this artifact of a project.")
@REQUIRE
@click.option("--worker", default="", help="Only this worker may build it.")
@click.option("--memory", metavar="SIZE", help="The build may use so much, such as 4G.")
@click.option("--time", "seconds", metavar="DURATION", help="The build may take so long: 2h.")
@click.option("--silence", metavar="DURATION", help="Its log may say nothing for so long: 1h.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with the build's exit code.")
@_FOLLOW
@_DOWNLOAD
@JSON
@pass_app
def submit(
    app: AppContext,
    /,
    bundle: str,
    branch: str,
    as_json: bool,
    **options: Any,  # noqa: ANN401
) -> int:
    """Have BUNDLE built for BRANCH, and its packages published there.

    BUNDLE is a folder, an archive of one, a .dsc file, apt:NAME[=VERSION], or a name in a tree
    here or on the server. With --artifact, it is the folder of a project, or of packages that
    need each other, and there is no branch.

    --follow and --download imply --wait. Ctrl-C stops the waiting, not the build.
    """
    if not branch and not options["package"]:
        raise UsageError(
            "a branch is needed",
            resolution="For example: lapstrake task submit apt:hello stable",
        )
    farm = connect(app)
    spec = _with_bundle(app, farm, _spec(branch, options), bundle)
    task = farm.tasks.submit(spec, priority=options["priority"])
    if options["wait"] or options["follow"] or options["download"] is not None:
        app.output.say(f"task {task.id}: {printable(task.spec.name)}")
        return _wait(app, farm, task.id, options["follow"], options["download"], as_json=as_json)
    app.output.result(json_text(task) if as_json else str(task.id))
    return 0


@click.command()
@click.argument("task", type=NUMBER)
@_FOLLOW
@_DOWNLOAD
@JSON
@pass_app
def wait(app: AppContext, /, task: int, follow: bool, download: Path | None, as_json: bool) -> int:
    """Wait until TASK has ended; exit with the build's exit code.

    Ctrl-C stops the waiting, not the build.
    """
    return _wait(app, connect(app), task, follow, download, as_json=as_json)


def _wait(
    app: AppContext, farm: Farm, number: int, follow: bool, folder: Path | None, *, as_json: bool
) -> int:
    """Wait, show, download; gives the exit code."""
    with only_waiting(app, f"task {number}", f"lapstrake task cancel {number}"):
        task = _await(app, farm, number, sys.stderr if as_json else sys.stdout, follow=follow)
        if folder is not None and task.outputs:
            farm.tasks.download(number, folder)
    if as_json:
        app.output.result(json_text(task))
    return tell_end(app, task)


def tell_end(app: AppContext, task: Task) -> int:
    """Say how a task ended; gives the exit code: the build's own, or `TaskError`'s."""
    if task.state == "success":
        app.output.say(f"task {task.id}: success" + (f", {task.reason}" if task.reason else ""))
        return 0
    brief = f"task {task.id} ended as {task.state}" + (f": {task.reason}" if task.reason else "")
    how = f"See `lapstrake task log {task.id}` and `lapstrake why {task.id}`."
    if task.state == "failed" and task.outputs:
        how += f" `lapstrake task artifacts {task.id} --download .` gets its build folder."
    write_stderr(message(brief, resolution=how) + "\n")
    return task.exit_code or TaskError.exit_code


def _await(app: AppContext, farm: Farm, number: int, stream: TextIO, *, follow: bool) -> Task:
    _tell_what_lacks(app, farm, number)
    if follow:
        from lapstrake.cli.farm_log import follow_log

        follow_log(app, farm, number, stream=stream)
        return farm.tasks.wait(number)
    with app.output.status(f"waiting for task {number}") as tell:

        def told(seen: Task) -> None:
            where = f" on {seen.worker}" if seen.worker else ""
            tell(f"task {seen.id} is {seen.state}{where}")

        return farm.tasks.wait(number, on_change=told)


def _tell_what_lacks(app: AppContext, farm: Farm, number: int) -> None:
    """Say what somebody must do before a task can start, such as to start a worker."""
    if any(wait.advice for wait in farm.tasks.why(number)):
        with suppress(TimeoutError):  # a worker may be about to come
            farm.tasks.wait(number, seconds=_GRACE)
    waits = farm.tasks.why(number)
    for wait in waits if any(each.advice for each in waits) else ():
        app.output.say(printable(wait.reason))
        if wait.advice:
            app.output.say(f"→ {printable(wait.advice)}")


def _with_bundle(app: AppContext, farm: Farm, spec: TaskSpec, text: str) -> TaskSpec:
    from dataclasses import replace

    from lapstrake.cli.farm_bundles import refuse_absent, with_bundle

    if not spec.package:
        found = with_bundle(app, farm, spec, text)
        return replace(found, name=spec.name or found.name)
    if not Path(text).is_dir():
        raise UsageError(f"{text} is no folder: --artifact builds a package of a project")
    refuse_absent(Path(text), spec.package)
    return farm.tasks.with_bundle(replace(spec, name=spec.name or spec.package), Path(text))


def _spec(branch: str, options: dict[str, Any]) -> TaskSpec:
    """The options as the farm understands them."""
    from lapstrake.config.units import parse_duration, parse_size
    from lapstrake.farm.values.tasks import TaskKind, TaskSpec

    return TaskSpec(
        kind=TaskKind.ARTIFACT if options["package"] else TaskKind.BUNDLE,
        name=options["name"],
        branch=branch,
        arch=options["arch"],
        target=options["target"],
        build_kind=options["kind"] or "full",
        profiles=options["profile"],
        network=options["network"],
        package=options["package"] or "",
        publish=not options["no_publish"],
        keep_failed=options["keep_failed"],
        fresh=options["fresh"],
        requires=requirements(options["require"], worker=options["worker"]),
        seconds=_amount(parse_duration, "--time", options["seconds"]),
        silence=_amount(parse_duration, "--silence", options["silence"]),
        memory=_amount(parse_size, "--memory", options["memory"]),
    )


def _amount(parse: Callable[[str], T], option: str, text: str | None) -> T:
    """An option's size or time; 0 when it is not given."""
    try:
        return parse(text or "0")
    except ValueError as wrong:
        raise UsageError(f"{option}: {wrong}") from wrong
