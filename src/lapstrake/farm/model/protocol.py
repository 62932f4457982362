"""What workers and their server say to each other, by number: whoever has another one is told.

Versions of Lapstrake with one number work together, so that workers need not be upgraded with the
server. The number grows when one side could misunderstand the other, and only then.
"""

from __future__ import annotations

from lapstrake.farm.problems import OtherVersion

PROTOCOL = 1
"""Ours."""


def check_protocol(worker: int, server: int, *, name: str, versions: str) -> None:
    """Refuse a worker and a server that do not understand each other.

    Args:
        worker: the worker's number.
        server: the server's.
        name: the worker's name.
        versions: who has which version, for people.

    Raises:
        OtherVersion: it says who is to be upgraded.
    """
    if worker == server:
        return
    old = "the worker" if worker < server else "the server"
    raise OtherVersion(
        f"worker {name} speaks protocol {worker}, the server {server} ({versions})",
        resolution=f"Upgrade {old}, and start the worker again.",
        fields={"protocol": server},
    )
