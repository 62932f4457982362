"""``lapstrake build``: one bundle, or a group of them, on a branch."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    from lapstrake.build.plan import Action
    from lapstrake.build.record import BuildRecord
    from lapstrake.build.request import BuildRequest
    from lapstrake.place.workplace import Workplace

_RUNNERS = ("auto", "userns", "nspawn", "docker", "local")
_GROUPED = ("workers", "stop", "resume")
_ALONE = ("explain", "shell_on_fail")


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
@click.option(
    "--target", metavar="TUPLE", help="Cross-compile, such as for arm64 or aarch64-linux-gnu."
)
@click.option(
    "--toolchain", metavar="DIR|NAME", help="Cross-compile with this, not with Debian's compilers."
)
@click.option("--workers", type=click.IntRange(1), help="Group: members built at a time.")
@click.option("--stop", is_flag=True, help="Group: stop at the first failure.")
@click.option("--resume", is_flag=True, help="Group: leave out what is built already.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pass_app
def build(app: AppContext, /, names: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
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
    _refuse_mixtures(len(names) - 1, options)
    request = _request(names[0], names[-1], options)
    place = open_place(
        app, runner=options["runner"], jobs=options["jobs"], recover=not options["dry_run"]
    )
    if options["group"]:
        from lapstrake.cli.group import build_group

        build_group(app, place, names[:-1], request, options)
    elif options["fetch_only"] and not options["dry_run"]:
        _fetch(app, place, request, as_json=options["as_json"])
    else:
        _build_one(app, place, request, options)


def _refuse_mixtures(bundles: int, options: dict[str, Any]) -> None:
    """Refuse options that do not go together, rather than leave one out silently."""
    wrong = [name for name in (_ALONE if options["group"] else _GROUPED) if options[name]]
    if wrong:
        word = f"--{wrong[0].replace('_', '-')}"
        how = "is for a single bundle, not for --group" if options["group"] else "needs --group"
        raise UsageError(f"{word} {how}")
    if bundles > 1 and not options["group"]:
        raise UsageError(
            f"{bundles} bundles were given",
            resolution="Give --group to build several; the branch comes last.",
        )


def _request(bundle: str, branch: str, options: dict[str, Any]) -> BuildRequest:
    """The options as the build understands them."""
    from lapstrake.build.request import BuildRequest, parse_target
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
        target=parse_target(options["target"]) if options["target"] else None,
        toolchain=options["toolchain"] or "",
    )


def _build_one(
    app: AppContext, place: Workplace, request: BuildRequest, options: dict[str, Any]
) -> None:
    """Tell the plan, build, or both, as asked."""
    as_json = options["as_json"]
    if options["dry_run"] or options["explain"]:
        from lapstrake.build.plan import plan

        actions = plan(place, request)
        if not options["dry_run"]:
            app.output.say(_plan_table(actions))
        elif as_json:
            app.output.result(json.dumps([asdict(action) for action in actions], indent=1))
        else:
            app.output.result(_plan_table(actions))
        if options["dry_run"]:
            return
    from lapstrake.build.run import build as run_build

    def tell(record: BuildRecord) -> None:
        if as_json:
            app.output.result(json.dumps(asdict(record), indent=1))

    record = run_build(place, request, on_end=tell)
    if not as_json:
        _report(app, place, record)


def _plan_table(actions: Sequence[Action]) -> str:
    rows = [(each.stage, f"{each.what or 'nothing'}: {each.reason}") for each in actions]
    return table(rows, header=("STAGE", "ACTION, AND WHY"))


def _fetch(app: AppContext, place: Workplace, request: BuildRequest, *, as_json: bool) -> None:
    """The sources of a bundle, and nothing else."""
    from lapstrake.branch.instance import enter_branch
    from lapstrake.build.reading import reading_of
    from lapstrake.cli.fetch import fetch_and_tell

    reading = reading_of(
        place, request, lambda: enter_branch(place, request.branch, refresh=request.refresh)
    )
    fetch_and_tell(app, place, [reading], offline=request.offline, as_json=as_json)


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
