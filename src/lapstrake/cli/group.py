"""``lapstrake build --group``: the summary, and how the group as a whole went."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from lapstrake.build.group import Member, MemberState
from lapstrake.build.group_items import expand_items
from lapstrake.build.group_run import GroupRequest, entering, plan_group
from lapstrake.build.group_run import build_group as run_group
from lapstrake.cli.context import AppContext
from lapstrake.cli.output import table
from lapstrake.errors import GroupError

if TYPE_CHECKING:
    from lapstrake.build.request import BuildRequest
    from lapstrake.place.workplace import Workplace

_CORES_PER_MEMBER = 2
_PASSED_ON = ("offline", "network", "check", "keep", "no_publish")


def build_group(
    app: AppContext,
    place: Workplace,
    items: tuple[str, ...],
    member: BuildRequest,
    options: dict[str, Any],
) -> None:
    """Build a group and print its table.

    Args:
        app: the command line's options.
        place: where.
        items: bundles, and files that list them.
        member: how each is built.
        options: the options of ``build``.

    Raises:
        GroupError: members failed.
    """
    request = GroupRequest(
        items=items,
        member=member,
        workers=options["workers"] or max(1, (os.cpu_count() or 1) // _CORES_PER_MEMBER),
        stop=options["stop"],
        resume=options["resume"],
        arguments=_global_options(app),
        options=_member_options(options),
    )
    if options["fetch_only"] and not options["dry_run"]:
        _fetch(app, place, request, as_json=options["as_json"])
        return
    members = (plan_group if options["dry_run"] else run_group)(place, request)
    _print(app, members, as_json=options["as_json"])
    failed = [member.name for member in members if member.state is MemberState.FAILED]
    if failed:
        raise GroupError(
            f"{len(failed)} of {len(members)} bundles failed: {', '.join(failed)}",
            resolution="See `lapstrake log NAME`; give --resume to go on where it stopped.",
        )


def _fetch(app: AppContext, place: Workplace, request: GroupRequest, *, as_json: bool) -> None:
    """The sources of all members, and nothing else."""
    from lapstrake.build.reading import reading_of
    from lapstrake.cli.fetch import fetch_and_tell

    enter = entering(place, request)
    names = expand_items(request.items, trees=place.config.tree, cwd=request.cwd)
    readings = [reading_of(place, replace(request.member, bundle=name), enter) for name in names]
    fetch_and_tell(app, place, readings, offline=request.member.offline, as_json=as_json)


def _global_options(app: AppContext) -> tuple[str, ...]:
    """The configuration that holds here, said again for the members."""
    folder = ("--config", str(app.config_dir)) if app.config_dir else ()
    return (*folder, *(f"--set={key}={value}" for key, value in app.overrides.items()))


def _member_options(options: dict[str, Any]) -> tuple[str, ...]:
    """What each member's own command gets of the group's options."""
    words = [f"--{name.replace('_', '-')}" for name in _PASSED_ON if options[name]]
    if options["kind"]:
        words.append({"any": "-B", "all": "-A"}[options["kind"]])
    if options["runner"]:
        words.append(f"--runner={options['runner']}")
    if options["jobs"]:
        words.append(f"--jobs={options['jobs']}")
    words += [f"--{name}={options[name]}" for name in ("target", "toolchain") if options[name]]
    return (*words, *(f"--profile={name}" for name in options["profile"]))


def _print(app: AppContext, members: tuple[Member, ...], *, as_json: bool) -> None:
    if as_json:
        rows = [{**asdict(member), "needs": sorted(member.needs)} for member in members]
        app.output.result(json.dumps(rows, indent=1))
        return
    lines = [
        (
            member.name,
            member.state.value,
            f"{member.seconds:.1f} s" if member.seconds else "",
            member.reason or ", ".join(sorted(member.needs)),
        )
        for member in members
    ]
    header = ("BUNDLE", "STATE", "TOOK", "NEEDS, OR WHY")
    app.output.result(table(lines, header=header, right=(2,)))
