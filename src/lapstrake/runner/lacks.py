"""What more than one runner may lack."""

from __future__ import annotations

from lapstrake.host import uplink
from lapstrake.runner.base import Lack


def no_uplink() -> tuple[Lack, ...]:
    """Builds that ask for the network cannot have one of their own."""
    found = uplink.lack()
    if found is None:
        return ()
    return (Lack(what=f"no build can use the network: {found[0]}", remedy=found[1], blocks=False),)
