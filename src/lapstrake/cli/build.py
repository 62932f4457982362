"""``lapstrake build``: one bundle, or a group of them, on a branch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table
from lapstrake.cli.place import open_place
from lapstrake.errors import UsageError
from lapstrake.names import BranchName

if TYPE_CHECKING:
    from lapstrake.branch.workplace import Workplace
    from lapstrake.build.record import BuildRecord
    from lapstrake.build.request import BuildRequest

_RUNNERS = ("auto", "userns", "nspawn", "docker", "local")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="BUNDLE... BRANCH")
@click.option("--group", is_flag=True, help="Build several bundles, in the order they need.")
@click.option("--runner", type=click.Choice(_RUNNERS), help="How commands run inside the root.")
@click.option(
    "--refresh/--no-refresh",
    default=None,
    help="Look for upgrades of the branch first, or not.  [default: as configured]",
)
@click.option("--offline", is_flag=True, help="Take sources from the download cache only.")
@click.option("--network", is_flag=True, help="Let the build reach the network.")
@click.option("--fetch-only", is_flag=True, help="Fetch and verify the sources, then stop.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and why.")
@click.option("--explain", is_flag=True, help="Say what is done, and why, then do it.")
@click.option("--check", is_flag=True, help="Build twice, and compare the bytes.")
@click.option("--keep", is_flag=True, help="Keep the workspace.")
@click.option("--shell-on-fail", is_flag=True, help="Open a shell where a build failed.")
@click.option("--no-publish", is_flag=True, help="Leave the branch's repository as it is.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="Parallel jobs of the build.")
@click.option("--profile", "-P", multiple=True, help="A build profile of a Debian source.")
@click.option("-B", "kind", flag_value="any", help="Debian: only this architecture's packages.")
@click.option("-A", "kind", flag_value="all", help="Debian: only packages for all architectures.")
@click.option("--workers", type=click.IntRange(1), help="Group: members built at a time.")
@click.option("--stop", is_flag=True, help="Group: stop at the first failure.")
@click.option("--resume", is_flag=True, help="Group: leave out what is built already.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pass_app
def build(app: AppContext, names: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Build BUNDLE on BRANCH, and put its packages into the branch's repository.

    BUNDLE is a folder (AOSC's spec and autobuild/, Debian's debian/, or lapstrake.toml), a .dsc
    file, a name in a configured tree, or apt:NAME[=VERSION] for a source package of the branch's
    own archive. With --group, several bundles or files that list them.
    """
    if len(names) < 2:
        raise UsageError(
            "a bundle and a branch are needed",
            resolution="For example: lapstrake build apt:hello stable",
        )
    *bundles, branch = names
    if len(bundles) > 1 and not options["group"]:
        raise UsageError(
            f"{len(bundles)} bundles were given",
            resolution="Give --group to build several; the branch comes last.",
        )
    place = open_place(app, runner=options["runner"], jobs=options["jobs"])
    if options["group"]:
        from lapstrake.cli.group import build_group

        build_group(app, place, tuple(bundles), BranchName(branch), options)
        return
    _build_one(app, place, _request(bundles[0], branch, options), options)


def _request(bundle: str, branch: str, options: dict[str, Any]) -> BuildRequest:
    """The options as the build understands them."""
    from lapstrake.build.request import BuildRequest
    from lapstrake.bundle.debian_binaries import BuildKind

    return BuildRequest(
        bundle=bundle,
        branch=BranchName(branch),
        cwd=Path.cwd(),
        refresh=options["refresh"],
        offline=options["offline"],
        network=options["network"],
        kind=BuildKind(options["kind"] or "full"),
        profiles=options["profile"],
        check=options["check"],
        keep=options["keep"],
        shell_on_fail=options["shell_on_fail"],
        publish=not options["no_publish"],
    )


def _build_one(
    app: AppContext, place: Workplace, request: BuildRequest, options: dict[str, Any]
) -> None:
    """Plan, fetch or build, as asked."""
    if options["dry_run"] or options["explain"]:
        _explain(app, place, request)
        if options["dry_run"]:
            return
    if options["fetch_only"]:
        _fetch(app, place, request)
        return
    from lapstrake.build.run import build as run_build

    record = run_build(place, request)
    if options["as_json"]:
        app.output.result(json.dumps(asdict(record), indent=1))
        return
    _report(app, place, record)


def _explain(app: AppContext, place: Workplace, request: BuildRequest) -> None:
    from lapstrake.build.plan import plan

    rows = [
        (action.stage, action.what or "nothing", action.reason) for action in plan(place, request)
    ]
    app.output.result(table(rows, header=("stage", "action", "because")))


def _fetch(app: AppContext, place: Workplace, request: BuildRequest) -> None:
    from lapstrake.build.fetch import fetch_sources
    from lapstrake.build.prepare import read_bundle

    for source in fetch_sources(place, read_bundle(place, request), offline=request.offline):
        how = "cached" if source.from_cache else "fetched"
        app.output.result(f"{source.spec.name}  {source.digest}  {source.size} bytes  {how}")


def _report(app: AppContext, place: Workplace, record: BuildRecord) -> None:
    """What came out, and what it took."""
    folder = place.output(BranchName(record.branch))
    for output in record.outputs:
        if output.published:
            app.output.result(f"{folder / output.name}")
    usage = record.usage
    app.output.say(
        f"built {record.name} {record.version} in {record.seconds:.1f} s "
        f"({usage.cpu_seconds:.1f} s of processor time, {usage.peak_memory >> 20} MiB at most)"
    )
