"""Throughput of the registry, against Debian's docker-registry on the same disk.

Both servers are started here with the same blob and the same manifest pushed to them; `wrk` asks
them in turns. A blob of 61 MB with 16 connections, a manifest by tag with 32, and how long the
list of ten thousand tags takes (ours alone). The servers' own processor time is measured as well:
unlike throughput it says the same on a machine that has other things to do.

Needs wrk and docker-registry.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import httpx2
import psutil

from registry_server import (
    OCI_MANIFEST,
    manifest_of,
    push_blob,
    push_image,
    put_manifest,
    served,
    sha256,
)

BLOB_BYTES = 61_000_000
NAME = "push/bench"


@dataclass(kw_only=True)
class Rival:
    """A running server and what was measured of it: name of the measure → figures."""

    name: str
    url: str
    pid: int
    figures: dict[str, list[float]] = field(default_factory=dict)


@contextlib.contextmanager
def distribution(folder: Path) -> Iterator[tuple[str, int]]:
    """Debian's docker-registry with its packaged settings, without credentials."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = folder / "distribution.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        "storage:\n  cache: {blobdescriptor: inmemory}\n  delete: {enabled: true}\n"
        f"  filesystem: {{rootdirectory: {folder}/distribution}}\n"
        f"http: {{addr: 127.0.0.1:{port}, headers: {{X-Content-Type-Options: [nosniff]}}}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx2.TransportError):
                httpx2.get(f"{url}/v2/", trust_env=False)
                break
            time.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def wrk(url: str, *, connections: int, seconds: int) -> tuple[float, float]:
    """Ask for so long; gives bytes and requests per second."""
    done = subprocess.run(
        ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-H", f"Accept: {OCI_MANIFEST}", url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if "Non-2xx" in done.stdout:
        sys.exit(f"{url} answered with errors:\n{done.stdout}")
    size, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", done.stdout).groups()  # type: ignore[union-attr]
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]  # type: ignore[index]
    return float(size) * 1024 ** " KMG".index(unit or " "), float(rate)


def processor_seconds(rival: Rival) -> float:
    """What its processes have taken so far."""
    process = psutil.Process(rival.pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def race(rivals: list[Rival], what: str, measure: Callable[[Rival], float], rounds: int) -> None:
    """Measure all in turn; the first round is not counted."""
    for number in range(rounds + 1):
        for rival in rivals:
            figure = measure(rival)
            if number:
                rival.figures.setdefault(what, []).append(figure)


def report(rivals: list[Rival], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({rival.name: rival.figures for rival in rivals}))
        return
    ours, theirs = rivals
    for what, figures in ours.figures.items():
        print(what)
        for rival in rivals:
            low, high = min(rival.figures[what]), max(rival.figures[what])
            middle = statistics.median(rival.figures[what])
            print(f"  {rival.name:<28} {middle:12.2f}   [{low:.2f} .. {high:.2f}]")
        ratios = [one / two for one, two in zip(figures, theirs.figures[what], strict=True)]
        print(f"  ours / theirs: {statistics.median(ratios):.2f}")


def list_of_tags(url: str, count: int) -> None:
    """How long the whole list takes, and one page of it."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=600) as client:
        push_blob(client, "push/tags", b"{}")
        for number in range(count):
            put_manifest(client, "push/tags", f"v{number}", manifest_of(b"{}"))
        for query in ("", "?n=100&last=v5"):
            before = time.perf_counter()
            tags = client.get(f"/v2/push/tags/tags/list{query}").json()["tags"]
            print(f"  {len(tags)} of {count} tags: {(time.perf_counter() - before) * 1000:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each run of wrk")
    parser.add_argument("--workers", default="1", help="processes of ours")
    parser.add_argument("--access-log", default="off", choices=["off", "text", "json"])
    parser.add_argument("--tags", type=int, default=0, help="also list so many tags, such as 10000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    blob = os.urandom(BLOB_BYTES)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        words = ("--workers", options.workers, "--access-log", options.access_log)
        ours = stack.enter_context(served(folder / "ours", *words))
        url, pid = stack.enter_context(distribution(folder))
        name = f"lapstrake ({options.workers} processes)"
        rivals = [
            Rival(name=name, url=ours.url, pid=ours.process.pid),
            Rival(name="docker-registry", url=url, pid=pid),
        ]
        for rival in rivals:
            with httpx2.Client(base_url=rival.url, trust_env=False, timeout=60) as client:
                push_image(client, NAME, "v1", blob)

        costs: dict[str, list[float]] = {rival.name: [] for rival in rivals}

        def of_blob(rival: Rival) -> float:
            place = f"{rival.url}/v2/{NAME}/blobs/{sha256(blob)}"
            before = processor_seconds(rival)
            rate = wrk(place, connections=16, seconds=options.seconds)[0]
            taken = processor_seconds(rival) - before
            costs[rival.name].append(taken / (rate * options.seconds / 1e9))
            return rate / 1e6

        def of_manifest(rival: Rival) -> float:
            place = f"{rival.url}/v2/{NAME}/manifests/v1"
            return wrk(place, connections=32, seconds=options.seconds)[1]

        race(rivals, "blob of 61 MB, 16 connections (MB/s)", of_blob, options.rounds)
        race(rivals, "manifest, 32 connections (requests/s)", of_manifest, options.rounds)
        for rival in rivals:
            rival.figures["processor seconds per GB of blob"] = costs[rival.name][1:]
        report(rivals, as_json=options.json)
        if options.tags:
            list_of_tags(ours.url, options.tags)


if __name__ == "__main__":
    main()
