"""``lapstrake cleanup``: remove what can be made again."""

from __future__ import annotations

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.place import look_place
from lapstrake.names import BranchName


@click.command()
@click.argument("what", metavar="all|baseos|NAME")
@pass_app
def cleanup(app: AppContext, /, what: str) -> None:
    """Remove instances, the base OS, or both; repositories, build records and keys stay.

    \b
    NAME    the layers and the draft of the branch NAME
    baseos  the base OS, and everything that stands on it
    all     everything that can be made again, and kept workspaces
    """  # noqa: D301 - click reads \b
    from lapstrake.branch import cleanup as cleaning
    from lapstrake.formats.amounts import size_text

    place = look_place(app)
    if what == "all":
        freed = cleaning.clean_all(place)
    elif what == "baseos":
        freed = cleaning.clean_base(place)
    else:
        freed = cleaning.clean_branch(place, BranchName(what))
    app.output.say(f"{size_text(freed)} freed" if freed else "there was nothing to remove")
