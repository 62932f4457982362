"""A registry that runs: the real program, on a port that was free."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from registry_server import AUTHORITIES
from shop import Shop

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running registry.

    Attributes:
        process: the server.
        url: ``http://127.0.0.1:PORT``.
        said: what it has said so far, line by line.
    """

    process: subprocess.Popen[str]
    url: str
    said: list[str]

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def get(self, path: str, *, method: str = "GET", **headers: str) -> httpx.Response:
        """One request of a path below the root."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return httpx.request(
            method, self.url + path, headers=named, timeout=300, verify=AUTHORITIES
        )

    def manifest(self, title: str, *, method: str = "GET", accept: str = OCI) -> httpx.Response:
        """The manifest of ``NAME:TAG`` or ``NAME@DIGEST``."""
        name, _, reference = title.partition("@" if "@" in title else ":")
        return self.get(f"/v2/{name}/manifests/{reference}", method=method, accept=accept)

    def error(self, title: str) -> tuple[int, Mapping[str, Any]]:
        """Status and error of what cannot be pulled."""
        answer = self.manifest(title)
        (error,) = answer.json()["errors"]
        return answer.status_code, error

    def until_page(self, path: str, words: str) -> str:
        """Wait until a page says something."""
        deadline = time.monotonic() + 60
        while words not in (text := self.get(path).text):
            assert time.monotonic() < deadline, f"{path} never says {words!r}: {text[-2000:]}"
            time.sleep(0.05)
        return text


@contextmanager
def running_registry(shop: Shop, *words: str, **variables: str) -> Iterator[Served]:
    """Serve until the end of the block; keywords are environment variables."""
    process = shop.start("registry", "serve", "--listen", "127.0.0.1:0", *words, **variables)
    said: list[str] = []
    try:
        assert process.stderr is not None
        url = ""
        for line in process.stderr:
            said.append(line)
            if "serving on " in line:
                url = line.rpartition(" ")[2].strip()
                break
        assert url, "".join(said)
        threading.Thread(target=said.extend, args=(process.stderr,), daemon=True).start()
        yield Served(process=process, url=url, said=said)
    finally:
        process.terminate()
        process.wait(60)


def digest_of(answer: httpx.Response) -> str:
    """The digest that an answer names."""
    assert answer.status_code == 200, answer.text
    found: str = answer.headers["docker-content-digest"]
    return found


def layers_of(answer: httpx.Response) -> list[str]:
    """The digests of a manifest's layers."""
    return [layer["digest"] for layer in json.loads(answer.content)["layers"]]
