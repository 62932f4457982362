"""The registry's child: makes one image, or refreshes a branch, and tells the server of it.

Started as ``python -m lapstrake.cli.making``. Its standard input gives the order, JSON on one line;
when that ends the server is gone, and so are we. Standard error is the log; standard output has the
answer: ``{"made": ...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.errors import run_guarded
from lapstrake.errors import LapstrakeError, MissingError
from lapstrake.names import BranchName


@click.command(hidden=True)
@pass_app
def carry_out(app: AppContext) -> None:
    """Carry out the order of a registry."""
    order = click.get_current_context().meta[__name__]
    try:
        answer = {"made": _make(app, order)}
    except LapstrakeError as error:
        _tell({"error": _error(error)})
        raise
    _tell(answer)


def main() -> int:
    """Read the order, and carry it out.

    Returns:
        the exit status, as the program ``lapstrake`` has it.
    """
    os.umask(0o022)
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_watch_server, daemon=True).start()
    folder = order.get("config_dir")
    app = AppContext(
        config_dir=Path(folder) if folder else None, overrides=order.get("overrides", {})
    )

    def work() -> int:
        with carry_out.make_context("making", [], obj=app) as context:
            context.meta[__name__] = order
            carry_out.invoke(context)
        return 0

    return run_guarded(work)


def _make(app: AppContext, order: Mapping[str, Any]) -> Mapping[str, Any]:
    from lapstrake.blobs.open import open_blobs
    from lapstrake.branch.instance import enter_branch
    from lapstrake.cli.place import open_place
    from lapstrake.registry.demand.images import make, manifests_document

    place = open_place(app)
    if order["what"] == "refresh":
        branch = enter_branch(place, BranchName(order["branch"]), refresh=True)
        return {"refreshed": branch.refreshed}
    made = make(place, open_blobs(app.config), order["name"], order["tag"], index=order["index"])
    return manifests_document(made)


def _watch_server() -> None:
    """End as if told to when the server's end of our standard input is closed."""
    while os.read(sys.stdin.fileno(), 1024):  # no reading of sys.stdin: it would block our exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _error(error: LapstrakeError) -> Mapping[str, Any]:
    return {
        "exit_code": error.exit_code,
        "brief": error.brief,
        "details": error.details,
        "resolution": error.resolution,
        "missing": list(error.names) if isinstance(error, MissingError) else [],
    }


def _tell(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - standard output is the answer


if __name__ == "__main__":
    sys.exit(main())
