"""``lapstrake group submit``: bundles here become builds there that wait for each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.farm_connect import JSON, connect, json_text
from lapstrake.cli.farm_requires import REQUIRE, requirements
from lapstrake.errors import LapstrakeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapstrake.farm.values.groups import MemberSpec
    from lapstrake.farm.values.tasks import TaskSpec


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="ITEM... BRANCH")
@click.option("--name", default="", help="What the group is called.")
@click.option("--arch", default="", help="The machines that build.  [default: the server's]")
@click.option("--target", default="", help="The machine to cross-compile for.")
@click.option(
    "--priority", type=click.IntRange(-100, 100), default=0, help="The larger the sooner."
)
@click.option("--network", is_flag=True, help="Let the builds reach the network.")
@click.option("--fresh", is_flag=True, help="Build, even if the same was built before.")
@REQUIRE
@click.option("--stop", is_flag=True, help="Start nothing more after the first failure.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with 32 if something failed.")
@JSON
@pass_app
def submit(
    app: AppContext,
    /,
    names: tuple[str, ...],
    name: str,
    arch: str,
    target: str,
    priority: int,
    network: bool,
    fresh: bool,
    require: tuple[str, ...],
    stop: bool,
    wait: bool,
    as_json: bool,
) -> int:
    """Have each ITEM built for BRANCH once what it needs is published.

    An ITEM is a bundle as `lapstrake task submit` takes it, or a file that lists bundles.
    """
    from lapstrake.build.group_items import expand_items
    from lapstrake.cli.farm_bundles import with_bundle
    from lapstrake.cli.farm_groups import tell_group_end, watch_group
    from lapstrake.farm.values.groups import GroupSpec
    from lapstrake.farm.values.tasks import TaskSpec

    *items, branch = names
    if not items:
        raise UsageError(
            "bundles and a branch are needed",
            resolution="For example: lapstrake group submit libfoo foo stable",
        )
    spec = TaskSpec(
        branch=branch,
        arch=arch,
        target=target,
        network=network,
        fresh=fresh,
        requires=requirements(require),
    )
    farm = connect(app)
    listed = expand_items(items, trees=app.config.tree, cwd=Path.cwd())
    specs = {text: with_bundle(app, farm, spec, text) for text in listed}
    needs = _needs(app, branch, listed)
    if needs is None:
        _tell_unknown(app, branch, specs)
    wanted = GroupSpec(
        name=name,
        branch=branch,
        members=_members(specs, needs),
        stop=stop,
        priority=priority,
    )
    group = farm.groups.submit(wanted)
    if wait:
        app.output.say(f"group {group.id}: {len(group.members)} members")
        group = watch_group(app, farm, group.id)
    if as_json:
        app.output.result(json_text(group))
    elif not wait:
        app.output.result(str(group.id))
    return tell_group_end(app, group) if wait else 0


def _members(
    specs: Mapping[str, TaskSpec], needs: Mapping[str, frozenset[str]] | None
) -> tuple[MemberSpec, ...]:
    """The members, called as their bundles are; as they were typed where that is not unique.

    Args:
        specs: what was typed → what it builds.
        needs: what was typed → what that needs, as typed; ``None`` for the server to find out.
    """
    from collections import Counter
    from dataclasses import replace

    from lapstrake.farm.values.groups import MemberSpec

    counts = Counter(spec.name for spec in specs.values())
    called = {text: spec.name if counts[spec.name] == 1 else text for text, spec in specs.items()}
    return tuple(
        MemberSpec(
            name=called[text],
            spec=replace(specs[text], name=called[text]),
            needs=None if needs is None else tuple(sorted(called[each] for each in needs[text])),
        )
        for text in specs
        if needs is None or text in needs  # else it is one of the others, typed otherwise
    )


def _needs(
    app: AppContext, branch: str, listed: Sequence[str]
) -> Mapping[str, frozenset[str]] | None:
    """What each bundle needs of the others, if they can all be read here.

    Source packages of the archive are read if there is a root of the branch here to ask apt in. The
    server reads all others.
    """
    from lapstrake.branch.instance import Branch, current_branch
    from lapstrake.build.group import relate
    from lapstrake.build.group_run import GroupRequest, read_group
    from lapstrake.build.reading import NoRootError
    from lapstrake.build.request import BuildRequest
    from lapstrake.bundle.debian_uris import is_request
    from lapstrake.cli.place import look_place, open_place
    from lapstrake.names import BranchName

    def no_root() -> Branch:
        raise NoRootError("a client has no root to read bundles in")

    member = BuildRequest(bundle="", branch=BranchName(branch), cwd=Path.cwd())
    request = GroupRequest(items=tuple(listed), member=member)
    try:
        if any(map(is_request, listed)):
            stands = current_branch(look_place(app), BranchName(branch)) or no_root()
            return relate(read_group(open_place(app), request, lambda: stands))
        return relate(read_group(look_place(app), request, no_root, only_look=True))
    except LapstrakeError as unreadable:
        app.output.detail(f"the server finds out what needs what: {unreadable.brief}")
        return None


def _tell_unknown(app: AppContext, branch: str, specs: Mapping[str, TaskSpec]) -> None:
    """Warn of members that wait for nothing: nobody reads a source package before it is fetched."""
    unknown = [text for text, spec in specs.items() if not spec.bundle and "apt:" in spec.source]
    if len(specs) > 1 and unknown:
        app.output.warn(
            f"what {', '.join(unknown)} needs is not known here, so that it waits for no other "
            f"member (`lapstrake branch refresh {branch}` makes a root to ask in)"
        )
