"""Who may do what: passwords, tokens, read-only, namespaces, TLS."""

from __future__ import annotations

import base64
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import httpx2
import pytest

from lapstrake.config.load import load_config
from lapstrake.errors import ConfigError
from lapstrake.registry.serving.settings import check_settings
from registry_server import Served, error_code, push_blob, push_image, served
from roots import Completed, run_cli

_NAME = "push/access"
_TOKEN = "a-token-that-nobody-guesses"
_PASSWORD = "correct horse"


def _htpasswd(folder: Path) -> Path:
    path = folder / "htpasswd"
    folder.mkdir(parents=True, exist_ok=True)
    hashed = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    path.write_text(f"# people\n\nada:{hashed}\n")
    return path


def _token_file(folder: Path) -> Path:
    path = folder / "token"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{_TOKEN}\n")
    return path


@pytest.fixture(scope="module")
def closed(memory: Path) -> Iterator[Served]:
    """Only those with credentials may do anything."""
    folder = memory / "closed"
    folder.mkdir()
    settings = (
        f"registry.htpasswd={_htpasswd(folder)}",
        f"registry.token_file={_token_file(folder)}",
    )
    with served(folder, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def half_open(memory: Path) -> Iterator[Served]:
    """Everybody may pull."""
    folder = memory / "half-open"
    folder.mkdir()
    settings = (f"registry.htpasswd={_htpasswd(folder)}", "registry.anonymous_pull=true")
    with served(folder, settings=settings) as running:
        with running.client(auth=("ada", _PASSWORD)) as client:
            push_image(client, _NAME, "v1", b"layer")
        yield running


def _refused(answer: httpx2.Response, challenge: str) -> None:
    assert (answer.status_code, error_code(answer)) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"].startswith(challenge)


def test_passwords_and_tokens(closed: Served) -> None:
    with closed.client() as client:
        for path in ("/v2/", f"/v2/{_NAME}/tags/list", "/v2/_catalog", "/", "/metrics"):
            _refused(client.get(path), 'Basic realm="')
        assert client.get("/healthz").status_code == 200
        for user, password in (("ada", _PASSWORD), ("ada", _TOKEN), ("anybody", _TOKEN)):
            assert client.get("/v2/", auth=(user, password)).status_code == 200
            assert client.get("/v2/", auth=(user, password)).status_code == 200  # remembered
        bearer = {"Authorization": f"Bearer {_TOKEN}"}
        assert client.get("/v2/", headers=bearer).status_code == 200
        push_blob(closed.client(headers=bearer), _NAME, b"by token")
        push_blob(closed.client(auth=("ada", _PASSWORD)), _NAME, b"by password")


@pytest.mark.parametrize(
    "said",
    [
        "Basic " + base64.b64encode(word).decode()
        for word in (b"ada:wrong", b"bob:correct horse", b"ada", b":", b"ada:", b"\xff:\xff")
    ]
    + ["Basic !!", "Basic", "Bearer x", "Bearer x.y", "Bearer", "Digest x", "Bearer \xe9.\xe9"]
    + ["Basic " + base64.b64encode(b"ada:" + b"x" * 5000 + b"\0").decode()],
)
def test_wrong_credentials(closed: Served, said: str) -> None:
    with closed.client() as client:
        _refused(client.get("/v2/", headers={b"Authorization": said.encode("latin-1")}), "Basic")


def test_a_changed_password_holds_at_once(tmp_path: Path) -> None:
    path = _htpasswd(tmp_path)
    with served(tmp_path, settings=(f"registry.htpasswd={path}",)) as running:
        with running.client() as client:
            assert client.get("/v2/", auth=("ada", _PASSWORD)).status_code == 200
            path.write_text(path.read_text().replace("ada:", "eve:"))
            assert client.get("/v2/", auth=("ada", _PASSWORD)).status_code == 401
            assert client.get("/v2/", auth=("eve", _PASSWORD)).status_code == 200
            path.write_text("damaged")
            assert client.get("/v2/", auth=("eve", _PASSWORD)).status_code == 200


def test_everybody_may_pull(half_open: Served) -> None:
    with half_open.client() as client:
        assert client.get(f"/v2/{_NAME}/manifests/v1").status_code == 200
        assert client.get("/v2/_catalog").status_code == 200
        challenge = f'Bearer realm="{half_open.url}/token",service="lapstrake"'
        _refused(client.get("/v2/"), challenge)
        answer = client.post(f"/v2/{_NAME}/blobs/uploads/")
        _refused(answer, f'{challenge},scope="repository:{_NAME}:pull,push"')
        _refused(client.get("/v2/_catalog", auth=("ada", "wrong")), challenge)


def test_the_token_protocol(half_open: Served) -> None:
    query = {"service": "lapstrake", "scope": f"repository:{_NAME}:pull,push"}
    with half_open.client() as client:
        anybody = client.get("/token", params=query).json()["token"]
        ada = client.get("/token", params=query, auth=("ada", _PASSWORD)).json()["access_token"]
        _refused(client.get("/token", params=query, auth=("ada", "wrong")), "Basic")
        assert client.post("/token").status_code == 405
        for token, status in ((anybody, 401), (ada, 202)):
            headers = {"Authorization": f"Bearer {token}"}
            assert client.get("/v2/", headers=headers).status_code == 200
            assert client.get(f"/v2/{_NAME}/tags/list", headers=headers).status_code == 200
            answer = client.post(f"/v2/{_NAME}/blobs/uploads/", headers=headers)
            assert answer.status_code == status
        forged = ada.partition(".")[0] + "." + anybody.partition(".")[2]
        _refused(client.get("/v2/", headers={"Authorization": f"Bearer {forged}"}), "Bearer")


def test_read_only(tmp_path: Path) -> None:
    with served(tmp_path) as running, running.client() as client:
        digest = push_image(client, _NAME, "v1", b"layer")
    with served(tmp_path, settings=("registry.read_only=true",)) as running:
        with running.client() as client:
            assert client.get(f"/v2/{_NAME}/manifests/v1").status_code == 200
            for answer in (
                client.post(f"/v2/{_NAME}/blobs/uploads/"),
                client.put(f"/v2/{_NAME}/manifests/v1", content=b"{}"),
                client.delete(f"/v2/{_NAME}/manifests/{digest}"),
                client.delete(f"/v2/{_NAME}/blobs/{digest}"),
            ):
                assert (answer.status_code, error_code(answer)) == (405, "UNSUPPORTED")


def test_other_namespaces(tmp_path: Path) -> None:
    settings = ("registry.namespaces=team x",)
    with served(tmp_path, settings=settings) as running, running.client() as client:
        push_image(client, "team/a", "v1")
        answer = client.post("/v2/push/a/blobs/uploads/")
        assert (answer.status_code, error_code(answer)) == (403, "DENIED")
        assert "team/… or x/…" in answer.json()["errors"][0]["message"]


def _serve(folder: Path, *settings: str) -> Completed:
    """A server that must not start."""
    options = [word for text in settings for word in ("--set", text)]
    return run_cli(*options, "registry", "serve", work_dir=folder, timeout=60)


@pytest.mark.parametrize(
    "settings, said",
    [
        (("registry.listen=0.0.0.0:5999",), "nobody is asked for credentials"),
        (("registry.listen=:5999",), "nobody is asked for credentials"),
        (("registry.listen=[::]:5999", "registry.anonymous_pull=true"), "credentials"),
        (("registry.listen=0.0.0.0:5999", "registry.read_only=true"), "credentials"),
        (("registry.listen=5000",), "no address and port"),
        (("registry.listen=127.0.0.1:99999",), "no address and port"),
        (("registry.htpasswd=/nonexistent",), "registry.htpasswd"),
        (("registry.token_file=/nonexistent",), "registry.token_file"),
        (("registry.token_file=/dev/null",), "is empty"),
        (("registry.namespaces=a/b",), "registry.namespaces"),
        (("registry.namespaces=UP",), "registry.namespaces"),
        (("registry.tls_key=/nonexistent",), "registry.tls_certificate"),
        (("registry.tls_certificate=/dev/null",), "registry.tls_certificate"),
    ],
)
def test_settings_that_are_wrong(settings: tuple[str, ...], said: str) -> None:
    overrides = dict(text.split("=", 1) for text in settings)
    with pytest.raises(ConfigError, match=re.escape(said)):
        check_settings(load_config(None, overrides=overrides).registry)


def test_a_file_of_passwords_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_text("ada:{SHA}notbcrypt\n")
    done = _serve(tmp_path, f"registry.htpasswd={path}")
    assert done.status == ConfigError.exit_code
    assert f"{path}:1" in done.stderr
    assert "htpasswd -B" in done.stderr


def test_a_storage_that_is_none(tmp_path: Path) -> None:
    done = _serve(tmp_path, "registry.storage=ftp://x/y")
    assert done.status == ConfigError.exit_code
    assert "registry.storage: 'ftp://x/y' is no storage" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_taken(closed: Served, tmp_path: Path) -> None:
    done = _serve(tmp_path, f"registry.listen={closed.host}")
    assert done.status == ConfigError.exit_code
    assert "Address already in use" in done.stderr


def test_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    place = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)
    subprocess.run(["openssl", *words.split(), *place], check=True, capture_output=True)
    settings = (f"registry.tls_certificate={certificate}", f"registry.tls_key={key}")
    blob = bytes(range(256)) * 20_000
    with served(tmp_path / "work", settings=settings) as running:
        assert running.url.startswith("https://")
        with running.client(verify=ssl.create_default_context(cafile=certificate)) as client:
            digest = push_blob(client, _NAME, blob)
            assert client.get(f"/v2/{_NAME}/blobs/{digest}").content == blob
            part = client.get(f"/v2/{_NAME}/blobs/{digest}", headers={"Range": "bytes=5-9"})
            assert part.content == blob[5:10]
