"""An address of this host by which others reach it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lapstrake.host import uplink


def own_address() -> str:
    """Skips the test where there is loopback only; no packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this host has no way to any network")
        return str(probe.getsockname()[0])


def need_uplink(uid: int) -> None:
    """Skip the test where that user's builds can have no network of their own."""
    lacking = uplink.lack()
    if lacking is not None:
        pytest.skip(lacking[0])
    if uid and Path("/dev/net/tun").stat().st_mode & 0o006 != 0o006:
        pytest.skip("/dev/net/tun is root's alone")
