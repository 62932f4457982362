"""The server as a program: its certificate, its settings read again, and that it is alone."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from farm_postgres import Postgres
from farm_server import FarmServer, farm_server
from farm_worker import until
from ports import free_port
from roots import run_cli, write_configuration

_PLACES = {"tls_certificate": "", "tls_key": "-key"}


class Authority:
    """A certificate authority of one's own, which no program knows by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority-key.pem"
        _openssl(
            *("req", "-x509", *_key_to(self._key), "-days", "2", "-subj", "/CN=our authority"),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-out", self.certificate),
        )

    def sign(self, certificate: Path, key: Path, serial: int) -> None:
        """Make a certificate for this machine."""
        request, names = self.folder / "request.pem", self.folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl("req", *_key_to(key), "-subj", "/CN=localhost", "-out", request)
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key),
            *("-set_serial", serial, "-days", "2", "-extfile", names, "-out", certificate),
        )


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def _key_to(file: Path) -> tuple[object, ...]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    return (*curve, "-nodes", "-keyout", file)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def farm(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    """A server with https, whose own builder may do all that its user may."""
    work_dir = tmp_path_factory.mktemp("serving")
    certificate, key = authority.folder / "farm.pem", authority.folder / "farm-key.pem"
    authority.sign(certificate, key, 1)
    port = free_port()
    configure(work_dir, authority, upload_limit="4096")
    with farm_server(
        work_dir,
        slots=1,
        listen=f"127.0.0.1:{port}",
        settings=(f"farm.url=https://localhost:{port}",),
        variables={"SSL_CERT_FILE": str(authority.certificate)},
    ) as server:
        yield server


def configure(work_dir: Path, authority: Authority, **settings: str) -> None:
    """Write the server's configuration; settings are as in the file."""
    places = {name: authority.folder / f"farm{end}.pem" for name, end in _PLACES.items()}
    said = {
        **{name: f'"{place}"' for name, place in places.items()},
        "capabilities": '["gpu", "secrets"]',
        **settings,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in said.items())
    write_configuration(work_dir, f"[farm]\n{lines}")


def test_a_farm_with_a_certificate_of_ones_own(farm: FarmServer, authority: Authority) -> None:
    trusting = ssl.create_default_context(cafile=authority.certificate)
    with farm.client(verify=trusting) as client:
        until(lambda: client.get("/api/v1/workers").json()["items"], seconds=60)
        (builder,) = client.get("/api/v1/workers").json()["items"]
        assert client.get("/v2/").headers["docker-distribution-api-version"] == "registry/2.0"
    assert (builder["facts"]["name"], builder["state"]) == ("server", "online")
    assert {"gpu", "secrets"} <= set(builder["facts"]["capabilities"])
    with farm.client() as client, pytest.raises(httpx2.ConnectError, match="certificate"):
        client.get("/health")

    words = ("--set", f"farm.server={farm.url}", "farm", "workers")
    shown = run_cli(*words, work_dir=farm.work_dir, SSL_CERT_FILE=str(authority.certificate))
    assert shown.ok, shown.stderr
    assert "server" in shown.stdout
    strange = run_cli(*words, work_dir=farm.work_dir)
    assert strange.status == 31
    assert "certificate" in strange.stderr
    assert "SSL_CERT_FILE" in strange.stderr


def test_settings_are_read_again(farm: FarmServer, authority: Authority) -> None:
    def begin() -> int:
        with farm.client(verify=ssl.create_default_context(cafile=authority.certificate)) as client:
            return client.post("/api/v1/uploads", json={"size": 5000}).status_code

    assert (begin(), _serial(farm, authority)) == (413, "01")
    configure(farm.work_dir, authority, upload_limit="8192", stop_after='"7s"')
    authority.sign(authority.folder / "farm.pem", authority.folder / "farm-key.pem", 2)
    farm.process.send_signal(signal.SIGHUP)
    until(lambda: "the configuration has been read again" in farm.said())
    assert (begin(), _serial(farm, authority)) == (201, "02")
    assert "farm.stop_after: changed, but holds until the server is started again" in farm.said()

    configure(farm.work_dir, authority, upload_limit="much")
    farm.process.send_signal(signal.SIGHUP)
    until(lambda: "the former one holds" in farm.said())
    assert begin() == 201
    assert "Traceback" not in farm.said()


def _serial(farm: FarmServer, authority: Authority) -> str:
    """Of the certificate that the server shows now."""
    trusting = ssl.create_default_context(cafile=authority.certificate)
    with (
        socket.create_connection(("127.0.0.1", farm.port), timeout=10) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        shown = connection.getpeercert()
        assert shown
        return str(shown["serialNumber"])


def test_a_farm_has_one_server(farm: FarmServer, tmp_path: Path, postgres: Postgres) -> None:
    words = ("serve", "--listen", "127.0.0.1:0", "--slots", "0")
    conf = write_configuration(tmp_path)
    second = run_cli(*words, work_dir=farm.work_dir, LAPSTRAKE_CONFIG=str(conf))
    assert (second.status, "Traceback" in second.stderr) == (31, False), second.stderr
    assert "is in use by process" in second.stderr

    database = postgres.new_database()
    without = ("farm.registry=false",)
    with farm_server(tmp_path / "first", database=database, settings=without) as first:
        other = run_cli(*words, "--database", database, work_dir=_made(tmp_path / "second"))
        assert other.status == 31
        assert "another server works on this farm's database" in other.stderr
        with first.client() as client:
            assert client.get("/v2/").json()["type"] == "/problems/unknown"
            assert "docker pull" not in client.get("/images").text
        assert first.stop() == 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
