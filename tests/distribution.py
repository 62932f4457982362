"""Debian's own registry (docker-registry), run by tests on a free port."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bcrypt

from lapstrake.host.process import find_program
from ports import free_port

USER, PASSWORD = "planks", "over planks"


def lacks_distribution() -> str:
    """Why the registry cannot be run here; empty when it can."""
    return "" if find_program("docker-registry") else "needs docker-registry"


@contextmanager
def running_distribution(
    folder: Path, *, private: bool = False, tls: dict[str, str] | None = None
) -> Iterator[str]:
    """Run the registry while the block runs; gives ``HOST:PORT``.

    Args:
        folder: for its blobs, its configuration and its log.
        private: let in `USER` with `PASSWORD` only.
        tls: the files of its ``certificate`` and ``key``.
    """
    folder.mkdir(exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    config = _configuration(folder, address, private=private)
    config["http"].update({"tls": tls} if tls else {})
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log
        )
    try:
        _wait_for(address, server, folder / "log")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _configuration(folder: Path, address: str, *, private: bool) -> dict[str, Any]:
    config: dict[str, Any] = {
        "version": 0.1,
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "blobs")},
            "delete": {"enabled": True},
        },
        "http": {"addr": address},
    }
    if private:
        secret = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{USER}:{secret}\n")
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    return config


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert server.poll() is None, log.read_text()
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())
