"""A registry that runs as users run it, and what clients send to one."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from roots import cli_command, cli_environment

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_SECONDS = 60.0
AUTHORITIES = ssl.create_default_context()
"""Read once: for a client that reads them anew they are most of its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running registry.

    Attributes:
        url: where it answers.
        process: of the server.
        log: the file of its standard error.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def host(self) -> str:
        """Address and port, as clients of images write it."""
        return self.url.partition("://")[2]

    def client(self, **options: object) -> httpx2.Client:
        """A client that follows nothing and asks no proxy."""
        settings = {"verify": AUTHORITIES, "trust_env": False, "timeout": 60, **options}
        return httpx2.Client(base_url=self.url, **settings)  # type: ignore[arg-type]


@contextmanager
def served(
    work_dir: Path, *words: str, settings: tuple[str, ...] = (), **variables: str
) -> Iterator[Served]:
    """Serve a work folder on a free port until the block ends.

    Args:
        work_dir: made when missing.
        words: of the command line, after ``registry serve``.
        settings: ``KEY=VALUE``, as for ``--set``.
        variables: of its environment.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    options = [word for text in settings for word in ("--set", text)]
    log = work_dir / f"registry-{time.monotonic_ns()}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            cli_command(*options, "registry", "serve", "--listen", "127.0.0.1:0", *words),
            env=cli_environment(work_dir, **variables),
            cwd=work_dir,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield Served(url=_address(process, log), process=process, log=log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until it tells where it answers."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if "serving on http" in line:
                return "http" + line.rpartition("serving on http")[2].strip()
        time.sleep(0.02)
    raise AssertionError(f"the registry did not start:\n{log.read_text()}")


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sha512(data: bytes) -> str:
    return f"sha512:{hashlib.sha512(data).hexdigest()}"


def push_blob(client: httpx2.Client, name: str, data: bytes) -> str:
    """Push a blob in two requests, as most clients do; gives its digest."""
    begun = client.post(f"/v2/{name}/blobs/uploads/")
    assert begun.status_code == 202, begun.text
    place = httpx2.URL(begun.headers["location"]).copy_add_param("digest", sha256(data))
    done = client.put(place, content=data)
    assert done.status_code == 201, done.text
    return sha256(data)


def manifest_of(
    blob: bytes, /, *parts: bytes, subject: Mapping[str, object] | None = None, **more: object
) -> bytes:
    """An image manifest of a configuration and layers."""
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": sha256(blob), "size": len(blob)},
        "layers": [
            {"mediaType": OCI_LAYER, "digest": sha256(layer), "size": len(layer)} for layer in parts
        ],
        **more,
    }
    if subject is not None:
        document["subject"] = subject
    return json.dumps(document).encode()


def put_manifest(
    client: httpx2.Client, name: str, reference: str, data: bytes, kind: str = OCI_MANIFEST
) -> httpx2.Response:
    return client.put(
        f"/v2/{name}/manifests/{reference}", content=data, headers={"Content-Type": kind}
    )


def push_image(client: httpx2.Client, name: str, tag: str, *layers: bytes) -> str:
    """Push a whole image; gives its manifest's digest."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {}}).encode()
    for blob in (config, *layers):
        push_blob(client, name, blob)
    data = manifest_of(config, *layers)
    done = put_manifest(client, name, tag, data)
    assert done.status_code == 201, done.text
    return sha256(data)


def error_code(answer: httpx2.Response) -> str:
    """The code of an error in the specification's shape."""
    assert answer.headers["content-type"] == "application/json"
    errors = answer.json()["errors"]
    assert len(errors) == 1
    assert errors[0]["message"]
    return str(errors[0]["code"])
