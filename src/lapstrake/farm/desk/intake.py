"""Bundles that users send: looked at as hostile before a task gets them."""

from __future__ import annotations

from lapstrake.farm.contents.bundles import check_bundle
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.values.tasks import Task


def take_bundle(desk: Desk, id: int, digest: str, *, name: str = "") -> Task:
    """Give a task an uploaded archive.

    Args:
        desk: has the task, the archive and its limits.
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
        desk.contents,
        digest,
        limit=desk.config.farm.bundle_limit,
        kind=spec.kind,
        arch=spec.arch or str(desk.config.arch),
        name=name or spec.name,
    )
    return desk.set_bundle(id, digest=checked.digest, name=name or checked.name)
