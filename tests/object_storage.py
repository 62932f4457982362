"""A server that speaks S3, and what Google calls its XML interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from ports import free_port

_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStorage:
    """A running server with an empty bucket ``lapstrake``.

    Attributes:
        url: where it answers.
        process: of the server.
    """

    url: str
    process: subprocess.Popen[bytes]

    def environment(self, kind: str) -> dict[str, str]:
        """What the provider's own client would take from the environment, too.

        Args:
            kind: ``s3`` or ``gs``.
        """
        if kind == "s3":
            return {
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_ENDPOINT_URL": self.url,
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "us-east-1",
            }
        account = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        text = json.dumps({"gcs_base_url": self.url, "disable_oauth": True, **account})
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": text}


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    """Run such a server until the block ends."""
    pytest.importorskip("moto.server", reason="needs moto's server")
    port = free_port()
    program = Path(__file__).with_name("storage_program.py")
    process = subprocess.Popen(
        [sys.executable, program, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"},
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        assert httpx2.put(f"{url}/lapstrake", trust_env=False).is_success
        yield ObjectStorage(url=url, process=process)
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            httpx2.get(url, trust_env=False)
            return
        except httpx2.TransportError:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
