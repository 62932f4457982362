"""Machines of a farm as network namespaces on one bridge, whose links can be cut."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from lapstrake.host.process import find_program


def lacks_network() -> str:
    """Why no network can be made here; empty when one can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if find_program("ip") is None:
        return "ip is not installed (apt install iproute2)"
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "the kernel makes no network namespaces here"


@dataclass(frozen=True)
class Network:
    """Namespaces, each with one link to our bridge.

    Attributes:
        bridge: its name.
        address: ours, where servers listen.
        links: a namespace's name → our end of its link.
    """

    bridge: str
    address: str
    links: dict[str, str]

    def command(self, name: str, *words: str) -> list[str]:
        """How a program is run on that machine; files and processes are all the same."""
        # Not `ip netns exec`: it mounts a new /sys, which hides the control groups.
        return ["nsenter", f"--net=/run/netns/{self._space(name)}", *words]

    def cut(self, name: str) -> None:
        """Pull the plug: nothing arrives, and nobody is told so."""
        _ip("link", "set", self.links[name], "nomaster")

    def mend(self, name: str) -> None:
        """Put it back."""
        _ip("link", "set", self.links[name], "master", self.bridge)

    def _space(self, name: str) -> str:
        return f"{self.bridge}-{name}"


@contextlib.contextmanager
def running_network(*names: str) -> Iterator[Network]:
    """Make namespaces of these names; skips the test where that cannot be done."""
    if reason := lacks_network():
        pytest.skip(reason)
    bridge = f"lapb{os.getpid()}"
    subnet = _free_subnet()
    links = {name: f"lapv{os.getpid()}n{number}" for number, name in enumerate(names)}
    network = Network(bridge, f"{subnet}.1", links)
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("address", "add", f"{network.address}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for number, (name, link) in enumerate(links.items(), start=2):
            space = network._space(name)
            _ip("netns", "add", space)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", link, "master", bridge, "up")
            _ip("-n", space, "address", "add", f"{subnet}.{number}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", space, "link", "set", device, "up")
        yield network
    finally:
        for name in links:
            _ip("netns", "delete", network._space(name), check=False)
        for link in [*links.values(), bridge]:
            _ip("link", "delete", link, check=False)


def _free_subnet() -> str:
    """A net for measurements (RFC 2544) that no other test has just now."""
    told = _ip("-json", "address", "show").stdout
    used = {each.get("local", "") for link in json.loads(told) for each in link["addr_info"]}
    start = os.getpid() % 256
    for number in range(start, start + 256):
        subnet = f"198.18.{number % 256}"
        if f"{subnet}.1" not in used:
            return subnet
    raise AssertionError("all test networks are in use")


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = ["ip", *words]
    return subprocess.run(command, check=check, capture_output=True, text=True)
