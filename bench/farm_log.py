"""Followers of one log: 200 of them at 5,000 lines a second, and how many lines are lost.

    python bench/farm_log.py [FOLLOWERS] [LINES_A_SECOND] [SECONDS]

A worker is played: it registers, claims a task's run and appends to its log four times a second.
Each follower is a connection of its own, read by threads of another process; each line has its
number and the time when it was sent.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from farm_server import farm_server

_LINE = re.compile(rb"data: line (\d+) at (\d+\.\d+)")
_PERIOD = 0.25


async def follow(port: int, path: str, lines: int) -> tuple[int, list[float]]:
    """One follower; gives how many lines it has in their order, and how late each piece came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    expected, late, rest = 0, [], b""
    while True:
        data = await reader.read(1 << 18)
        now = time.time()
        rest += data
        end = rest.rfind(b"\n\n") + 2
        first, last = _LINE.search(rest[:end]), rest.rfind(b"data: line ", 0, end)
        if first is not None:
            newest = _LINE.match(rest, last)
            assert newest is not None
            count = rest.count(b"data: line ", 0, end)
            whole = int(newest[1]) - int(first[1]) + 1 == count and int(first[1]) == expected
            expected += count if whole else 0  # what is out of order counts as lost
            late.append(now - float(newest[2]))
        over = b"event: end" in rest
        rest = rest[end:]
        if over or not data or expected >= lines:
            writer.close()
            return expected, late


def followers(
    port: int, path: str, count: int, lines: int, results: multiprocessing.Queue[Any]
) -> None:
    """A process of followers."""

    async def run() -> list[tuple[int, list[float]]]:
        return await asyncio.gather(*(follow(port, path, lines) for _ in range(count)))

    results.put(asyncio.run(run()))


def main() -> None:
    """Measure."""
    words = [int(word) for word in sys.argv[1:]] + [200, 5000, 10][len(sys.argv) - 1 :]
    count, rate, seconds = words
    total = rate * seconds
    with (
        tempfile.TemporaryDirectory() as folder,
        farm_server(
            Path(folder),
            "--access-log",
            "off",
            settings=("farm.worker_database=postgresql://x@127.0.0.1/x", "farm.requests=1000000"),
        ) as farm,
        farm.client() as client,
    ):
        name = socket.gethostname()
        arch = client.get("/builder/status").json()["arch"]
        facts = {"name": name, "incarnation": "a", "arches": [arch]}
        assert client.post("/api/v1/workers/register", json=facts).is_success
        task = client.post("/task").json()["id"]
        client.put(f"/task/{task}/build_bundle", json={"source": "apt:hello"})
        client.put(f"/task/{task}/branch", json={"branch": "stable"})
        started = client.put(f"/task/{task}/build")
        assert started.is_success, started.text
        claim = {"round": 1, "worker": name, "incarnation": "a", "executor": f"{name}/a/1/1"}
        claimed = client.post(f"/api/v1/tasks/{task}/claim", json=claim)
        assert claimed.is_success, claimed.text
        results: multiprocessing.Queue[Any] = multiprocessing.Queue()
        path = f"/api/v1/tasks/{task}/log/events"
        arguments = (farm.port, path, count, total, results)
        readers = multiprocessing.Process(target=followers, args=arguments)
        readers.start()
        time.sleep(2)
        offset = number = 0
        begun = time.time()
        while number < total:
            some = range(number, min(number + int(rate * _PERIOD), total))
            text = "".join(f"line {each} at {time.time():.4f} {'x' * 60}\n" for each in some)
            url = f"/api/v1/tasks/{task}/attempts/1/log?offset={offset}"
            offset = client.patch(url, content=text.encode()).json()["size"]
            number += len(some)
            time.sleep(max(0.0, begun + number / rate - time.time()))
        wrote = time.time() - begun
        found = results.get(timeout=120)
        readers.join()
    late = sorted(each for _, times in found for each in times)
    print(
        json.dumps(
            {
                "followers": count,
                "lines_a_second": round(total / wrote),
                "lines": total,
                "lost": sum(total - got for got, _ in found),
                "late_median_ms": round(late[len(late) // 2] * 1000, 1),
                "late_99_ms": round(late[int(len(late) * 0.99)] * 1000, 1),
                "late_most_ms": round(late[-1] * 1000, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
