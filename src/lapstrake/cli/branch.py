"""``lapstrake branch``: list and manage branches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.lazy import WrappedGroup
from lapstrake.cli.output import table
from lapstrake.cli.place import look_place, open_place
from lapstrake.config.places import LISTS_NAME
from lapstrake.errors import BranchError, ConfigError, UsageError
from lapstrake.names import BranchName

if TYPE_CHECKING:
    from lapstrake.branch.manage import BranchFacts
    from lapstrake.formats.sources_list import SourceList

_YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


_NAME = click.argument("name", type=BranchName)


@click.group(cls=WrappedGroup)
def branch() -> None:
    """List and manage branches: named lines of packages, each with its source list."""


@branch.command("list")
@click.option("--look", is_flag=True, help="Ask upstream whether anything is new.")
@_JSON
@pass_app
def list_(app: AppContext, /, look: bool, as_json: bool) -> int:
    """List the branches: whether they are fresh, their instances, drafts and packages.

    A branch whose list is wrong is listed with what is wrong; the exit status is 3 then.
    """
    from lapstrake.branch.manage import list_branches

    found, wrong = list_branches(look_place(app), look=look)
    if as_json:
        documents = [_document(facts) for facts in found]
        documents += [{"name": name, "error": error.brief} for name, error in wrong.items()]
        app.output.result(json.dumps(documents, indent=2))
    elif found or wrong:
        header = ("BRANCH", "STATE", "INSTANCE", "MADE", "SIZE", "PACKAGES", "DRAFT", "SOURCES")
        rows = [_row(facts) for facts in found]
        rows += [(name, "wrong", *"-----", error.brief) for name, error in wrong.items()]
        app.output.result(table(sorted(rows), header=header, right={4, 5}))
    else:
        app.output.say(f"there is no branch in {app.config.folder}/{LISTS_NAME}")
        app.output.say("→ Add one: lapstrake branch add NAME")
    return ConfigError.exit_code if wrong else 0


@branch.command("add")
@_NAME
@click.option(
    "--from", "file", metavar="FILE", type=click.Path(path_type=Path), help="Take this list."
)
@click.option("--suite", help="Take the list of another suite of the host's vendor.")
@click.option("--copy", "other", type=BranchName, metavar="BRANCH", help="Take a branch's list.")
@pass_app
def add(
    app: AppContext,
    /,
    name: BranchName,
    file: Path | None,
    suite: str | None,
    other: BranchName | None,
) -> None:
    """Add the branch NAME; without an option it has the host's own suites.

    Where there is no configuration yet, one is written first, as by `lapstrake config init`: in
    /etc/lapstrake for root, in the user's own folder for others. The built-in branch becomes a
    list in it, and no longer follows the host's apt configuration.
    """
    from lapstrake.branch.manage import add_branch
    from lapstrake.config.branches import BUILT_IN
    from lapstrake.config.places import init_dir
    from lapstrake.config.start import write_start

    if sum(given is not None for given in (file, suite, other)) > 1:
        raise UsageError("only one of --from, --suite and --copy can be given")
    listed = _chosen_list(app, file, suite, other)
    folder = app.config.folder
    if folder is None:
        folder = init_dir(app.config_dir)
        if name == BUILT_IN:
            raise BranchError(
                f"the branch {name} is there already: it is built in",
                resolution="To change its list, write a configuration: lapstrake config init",
            )
        app.output.say(f"there is no configuration yet: writing one to {folder}")
        for written in write_start(folder):
            app.output.say(f"{written} is new")
        app.output.say(
            f"the branch {BUILT_IN} was built in; from now on it is what its list there says"
        )
    app.output.result(str(add_branch(folder, name, listed)))


@branch.command("remove")
@_NAME
@click.option("--purge", is_flag=True, help="Remove its repository, too.")
@_YES
@pass_app
def remove(app: AppContext, /, name: BranchName, purge: bool, yes: bool) -> None:
    """Remove the branch NAME, its layers and draft; its repository stays without --purge."""
    from lapstrake.branch.manage import remove_branch
    from lapstrake.config.branches import one_branch

    place = look_place(app)
    if place.config.folder is None:
        one_branch(None, name)  # says that there is no such branch
        raise BranchError(f"{name} is built in; there is no configuration to remove it from")
    one_branch(place.config.folder, name)
    doomed = f"its list, layers and draft{f', and {place.output(name)}' if purge else ''}"
    if not yes:
        click.confirm(f"Remove the branch {name}: {doomed}?", abort=True, err=True)
    remove_branch(place, place.config.folder, name, purge=purge)
    app.output.say(f"the branch {name} is removed")


@branch.command("refresh")
@click.argument("names", nargs=-1, type=BranchName, metavar="[NAME]...")
@pass_app
def refresh(app: AppContext, /, names: tuple[BranchName, ...]) -> None:
    """Look upstream, and upgrade the branches NAME (all of them without a NAME) if it changed."""
    from lapstrake.branch.instance import enter_branch

    place = open_place(app)
    for name in names or tuple(place.config.branches()):
        entered = enter_branch(place, name, refresh=True)
        how = f"refreshed: {entered.refreshed}" if entered.refreshed else "fresh"
        app.output.say(f"{name}: {how} ({entered.instance.key.short})")


@branch.command("shell", context_settings={"ignore_unknown_options": True})
@_NAME
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--runner", help="How commands run inside the root.")
@pass_app
def shell(
    app: AppContext, /, name: BranchName, command: tuple[str, ...], runner: str | None
) -> int:
    """Open a shell in the draft of the branch NAME, or run COMMAND there.

    The draft is a copy of the branch to change by hand, with the network, as root of the root. It
    stays until it is committed (branch commit) or dropped (branch rollback).
    """
    from lapstrake.branch.draft import Drafts
    from lapstrake.branch.instance import enter_branch
    from lapstrake.cli.shell import run_in

    place = open_place(app, runner=runner)
    entered = enter_branch(place, name, refresh=False)
    with Drafts(place).enter(entered) as session:
        status = run_in(session, command, name=f"the draft of {name}")
    if not command:
        app.output.say(f"the draft stays: lapstrake branch commit {name}, or rollback {name}")
    return status


@branch.command("commit")
@_NAME
@pass_app
def commit(app: AppContext, /, name: BranchName) -> None:
    """Make the draft of the branch NAME its instance, for all builds from now on."""
    from lapstrake.branch.draft import Drafts

    layer = Drafts(open_place(app)).commit(name)
    app.output.say(f"the branch {name} is the instance {layer.key.short} now")


@branch.command("rollback")
@_NAME
@pass_app
def rollback(app: AppContext, /, name: BranchName) -> None:
    """Drop the draft of the branch NAME; without one, go back to its former instance."""
    from lapstrake.branch.draft import Drafts, roll_back

    place = look_place(app)
    place.config.branch(name)  # says that there is no such branch
    if Drafts(place).drop(name):
        app.output.say(f"the draft of {name} is dropped")
        return
    former = roll_back(place, name)
    app.output.say(f"the branch {name} is back at the instance {former.layer.short}")


@branch.command("packages")
@_NAME
@_JSON
@pass_app
def packages(app: AppContext, /, name: BranchName, as_json: bool) -> None:
    """List what the repository of the branch NAME holds."""
    from lapstrake.formats.amounts import size_text
    from lapstrake.repository.generation import load_generation

    place = look_place(app)
    place.config.branch(name)
    found = load_generation(place.output(name)).entries
    if as_json:
        rows = [
            {
                "package": each.package,
                "version": each.version,
                "architecture": each.architecture,
                "file": each.location,
                "size": each.size,
                "sha256": each.sha256,
            }
            for each in found
        ]
        app.output.result(json.dumps(rows, indent=2))
    elif found:
        lines = [(e.package, e.version, e.architecture, size_text(e.size)) for e in found]
        header = ("PACKAGE", "VERSION", "ARCH", "SIZE")
        app.output.result(table(lines, header=header, right={3}))
    else:
        app.output.say(f"the repository of {name} is empty")


def _chosen_list(
    app: AppContext, file: Path | None, suite: str | None, other: BranchName | None
) -> SourceList:
    from lapstrake.branch.manage import list_from_file, list_of_suite
    from lapstrake.config.branches import built_in_list

    if file is not None:
        return list_from_file(file)
    if other is not None:
        return app.config.branch(other)
    if suite is None:
        return built_in_list()
    listed, doubts = list_of_suite(app.config, suite)
    for doubt in doubts:
        app.output.warn(f"cannot tell whether it exists: {doubt}")
    return listed


def _row(facts: BranchFacts) -> tuple[str, ...]:
    from lapstrake.formats.amounts import age_text, size_text

    instance, draft = facts.instance, facts.draft
    return (
        facts.name.text,
        f"stale: {facts.stale}" if facts.stale else "fresh",
        instance.layer.short if instance else "-",
        age_text(instance.made) if instance else "-",
        size_text(facts.size) if facts.size else "-",
        str(facts.packages),
        f"{age_text(draft.begun)}, {size_text(facts.draft_size)}" if draft else "-",
        facts.listed,
    )


def _document(facts: BranchFacts) -> dict[str, object]:
    instance, draft = facts.instance, facts.draft
    return {
        "name": facts.name.text,
        "sources": facts.listed,
        "fresh": not facts.stale,
        "stale_because": facts.stale,
        "instance": instance.layer.hex if instance else None,
        "base": instance.base.hex if instance else None,
        "reason": instance.reason if instance else None,
        "made": instance.made if instance else None,
        "commits": list(instance.commits) if instance else [],
        "size": facts.size,
        "packages": facts.packages,
        "draft": {"begun": draft.begun, "size": facts.draft_size} if draft else None,
    }
