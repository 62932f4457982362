"""A build's own networks are counted, the machine's are not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from farm_network import lacks_network
from farm_worker import until
from lapstrake.farm.worker.traffic import Traffic, counts

pytestmark = pytest.mark.skipif(bool(lacks_network()), reason=lacks_network() or "-")

_SENDS = (
    "ip link add d0 type veth peer name d1; ip address add 198.19.0.1/24 dev d0;"
    " ip link set d0 up; ip link set d1 up;"
    " ip neigh add 198.19.0.2 lladdr 02:00:00:00:00:01 dev d0;"
    " printf %1000s > /dev/udp/198.19.0.2/9; echo sent; read word"
)


@contextmanager
def inside(*spaces: str, script: str = "echo sent; read word") -> Iterator[list[int]]:
    """The processes of a script in namespaces of its own, when it has said that it sent."""
    words = ["unshare", "--fork", "--kill-child", *spaces, "bash", "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"sent\n"
        tree = psutil.Process(process.pid).children(recursive=True)
        try:
            yield [process.pid, *(each.pid for each in tree)]
        finally:
            process.kill()


def test_what_a_namespace_sent_is_kept_when_it_is_gone() -> None:
    traffic = Traffic(apart=True)
    with inside("--pid", "--net", script=_SENDS) as processes:
        traffic.look(processes)
    received, sent = traffic.total()
    assert received is not None
    assert sent is not None
    assert 1000 < sent < 100_000
    assert 1000 < received < 100_000
    until(lambda: not any(psutil.pid_exists(each) for each in processes))
    traffic.look(processes)
    assert traffic.total() == (received, sent)


def test_an_empty_network_carries_nothing() -> None:
    traffic = Traffic(apart=True)
    with inside("--pid", "--net") as processes:
        traffic.look(processes)
    assert traffic.total() == (0, 0)


def test_the_machines_network_is_nobodys() -> None:
    traffic = Traffic(apart=True)
    traffic.look([psutil.Process().pid])
    assert traffic.total() == (0, 0), "we are no build"
    with inside("--pid") as processes:
        traffic.look(processes)
    assert traffic.total() == (None, None)
    assert Traffic(apart=False).total() == (None, None)


def test_what_the_kernel_writes() -> None:
    text = (
        "Inter-|   Receive  | Transmit\n face |bytes packets|bytes packets\n"
        "    lo:  500 5 0 0 0 0 0 0  500 5 0 0 0 0 0 0\n"
        "  tap0:  70 1 0 0 0 0 0 0  90 2 0 0 0 0 0 0\n"
        "eth0.1:  1 1 0 0 0 0 0 0  2 2 0 0 0 0 0 0\n"
    )
    assert counts(text) == (71, 92)
