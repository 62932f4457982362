"""Bundles that users send: looked at as hostile before a task gets them."""

from __future__ import annotations

from lapstrake.config.model import Config
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.bundles import check_bundle
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.values.tasks import Task


def take_bundle(
    desk: Desk, contents: Contents, config: Config, id: int, digest: str, *, name: str = ""
) -> Task:
    """Give a task an uploaded archive.

    Args:
        desk: has the task.
        contents: has the archive.
        config: its limits.
        id: the task's number.
        digest: of the archive, ``sha256:…``.
        name: what people call it; empty for what the bundle says.

    Raises:
        Unknown: there is no such task, or no such content.
        WrongState: it has been started.
        Invalid: the archive is no bundle.
        TooLarge: unpacked it is larger than the configuration allows.
    """
    spec = desk.task(id).spec
    checked = check_bundle(
        contents,
        digest,
        limit=config.farm.bundle_limit,
        kind=spec.kind,
        arch=spec.arch or str(config.arch),
        name=name or spec.name,
    )
    return desk.set_bundle(id, digest=checked.digest, name=name or checked.name)
