"""``lapstrake artifact get``: what it prints, and what a kill, a full disk or a forger changes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact_sites import archive_of, redirect
from lapstrake.artifact.identity import Identity
from roots import Completed, cli_command, cli_environment, run_cli
from trouble import small_disk
from webserver import Site, resumable, running_site, serve

_FILE, _CONTENT = "VERSION", b"1.0\n"


@pytest.fixture
def server() -> Iterator[Site]:
    with running_site() as server:
        yield server


class Place:
    """A work folder that is a project's folder, too, with one package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, Any] = {
            "LAPSTRAKE_DL_DIR": str(folder / "downloads"),
            "HOST_ARCH": "x86_64",
            "no_proxy": "127.0.0.1,localhost",
        }

    def project(self, *sites: str) -> Identity:
        """Write it; gives what its artifact is called."""
        listed = "\n".join(f"[[site]]\n{site}" for site in sites)
        (self.folder / "lapstrake.toml").write_text(
            '[package]\nname = "fish"\ntype = "package"\nversion = "1.0"\n'
            f'checksum = ["{_FILE}"]\n{listed}\n'
        )
        (self.folder / _FILE).write_bytes(_CONTENT)
        checksum = hashlib.sha256(hashlib.sha256(_CONTENT).digest()).hexdigest().upper()
        return Identity(
            package="fish",
            host="linux_x86_64",
            version="1.0",
            checksum=checksum,
            suffix=".tar.gz",
        )

    def run(self, *words: str, **variables: Any) -> Completed:
        done = run_cli(
            "artifact", "get", *words, work_dir=self.folder, **self.variables, **variables
        )
        assert "Traceback" not in done.stderr
        return done

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            cli_command("artifact", "get"),
            env=cli_environment(self.folder, **self.variables),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_it_prints(place: Place, server: Site) -> None:
    identity = place.project(f'url = "{server.url}"', 'folder = "site"')
    missing = place.run()
    assert missing.status == 27
    assert missing.stdout == ""
    assert f"{server.url}/{identity.file_name}: status 404" in missing.stderr
    assert f"Put {identity.file_name} into {place.folder}/downloads." in missing.stderr
    url = server.put(f"/{identity.file_name}", serve(archive_of(identity)))
    path = place.folder / "artifacts" / identity.download_name
    assert place.run().stdout.split() == ["fish", str(path), url]
    assert (path / "hello").read_text() == "hello\n"
    assert place.run("fish").stdout.split() == ["fish", str(path), "kept"]
    (row,) = json.loads(place.run("--json").stdout)
    assert (row["package"], row["from"], row["path"]) == ("fish", "kept", str(path))
    assert row["checksum"] == identity.checksum
    unknown = place.run("cat")
    assert unknown.status == 2
    assert "no package 'cat'" in unknown.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted(place: Place, server: Site, number: signal.Signals) -> None:
    """Killed in the middle of a download: soon gone, nothing half there, and gone on with."""
    identity = place.project(f'url = "{server.url}"')
    data = archive_of(identity, os.urandom(200_000))
    server.put(f"/{identity.file_name}", server.hang(data[:100_000]))
    downloads = place.folder / "downloads"
    running = place.start()
    deadline = time.monotonic() + 60
    while not any(part.stat().st_size for part in downloads.glob("partial/*.gz")):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(number)
    output, _ = running.communicate(timeout=20)
    assert running.returncode == (130 if number == signal.SIGINT else -number), output
    assert b"Traceback" not in output
    assert not (downloads / identity.file_name).exists()
    server.put(f"/{identity.file_name}", resumable(data))
    assert place.run().status == 0
    assert server.requests[-1][1]["Range"] == "bytes=100000-"


def test_strangers_certificates(place: Place, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with running_site(context) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        identity = place.project(f'url = "{url}"')
        retries = ("--set", "artifacts.retries=0")
        refused = run_cli(*retries, "artifact", "get", work_dir=place.folder, **place.variables)
        assert refused.status == 27
        assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
        assert server.requests == []
        with running_site() as plain:
            path = plain.put("/it", serve(archive_of(identity)))
            server.put(f"/{identity.file_name}", redirect(path), serve(archive_of(identity)))
            downgraded = place.run(SSL_CERT_FILE=str(certificate))
            assert downgraded.status == 27
            assert "it redirects to a server without TLS" in downgraded.stderr
            assert plain.requests == []
        assert place.run(SSL_CERT_FILE=str(certificate)).status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
@pytest.mark.parametrize("full", ["downloads", "artifacts"])
def test_a_full_disk(place: Place, server: Site, full: str) -> None:
    """Whichever is full: it is said, what is half there goes, and the next run does it."""
    identity = place.project(f'url = "{server.url}"')
    data = archive_of(identity, os.urandom(2 << 20))
    server.put(f"/{identity.file_name}", resumable(data))
    with small_disk(place.folder / full, "1m", kind="tmpfs") as disk:
        done = place.run()
        assert done.status == 20, done.stderr
        assert "full" in done.stderr
        assert sum(file.stat().st_size for file in disk.rglob("*") if file.is_file()) < 10_000
    assert place.run().status == 0


def test_start_up_loads_little(place: Place, server: Site) -> None:
    """What was kept the last time is told without reading anything but the inputs."""
    identity = place.project(f'url = "{server.url}"')
    server.put(f"/{identity.file_name}", serve(archive_of(identity)))
    assert place.run().status == 0
    program = (
        "import sys; from lapstrake.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "artifact", "get"],
        env=cli_environment(place.folder, **place.variables),
        cwd=place.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert "kept" in loaded
    assert "lapstrake.artifact.getting.receipt" in loaded
    heavy = {"lapstrake.config.model", "lapstrake.artifact.base", "lapstrake.host.files", "tomllib"}
    assert loaded & heavy == set()
