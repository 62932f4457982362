"""Who we are to a registry, from files as docker and podman write them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lapstrake.errors import ConfigError, LapstrakeError, RegistryError
from lapstrake.oci.credentials import Credentials, config_files, find_credentials

SECRET = "sesame opens"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's home."""
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


def packed(user: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def put(path: Path, **document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def user_of(host: str, name: str = "a/b") -> str | None:
    found = find_credentials(host, name)
    assert found is None or found.password == SECRET
    return found.user if found else None


def test_nobody() -> None:
    assert find_credentials("host", "name") is None


def test_docker_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        home / ".docker/config.json",
        auths={"https://one.example/v1/": packed("one"), "two:5000": packed("two"), "empty": {}},
    )
    assert user_of("one.example") == "one"
    assert user_of("two:5000") == "two"
    assert user_of("two") is None
    assert user_of("empty") is None
    put(home / "other/config.json", auths={"two:5000": packed("other")})
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "other"))
    assert user_of("two:5000") == "other"
    assert user_of("one.example") is None


def test_podman_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / ".config/containers/auth.json", auths={"h": packed("kept"), "only": packed("only")})
    put(
        home / "run/containers/auth.json",
        auths={"h": packed("all"), "h/team": packed("team"), "h/team/x": packed("x")},
    )
    assert user_of("h", "other/b") == "all"
    assert user_of("h", "team/b") == "team"
    assert user_of("h", "teams/b") == "all"
    assert user_of("h", "team/x") == "x"
    assert user_of("only") == "only"
    put(home / "named.json", auths={"h": packed("named")})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "named.json"))
    assert user_of("h", "team/b") == "named"


def test_root_without_a_session() -> None:
    files = list(config_files({"HOME": "/h"}))
    assert files[0] == Path("/h/.docker/config.json")
    assert files[1].parent.parent == Path("/run/containers")
    assert files[1].name == "auth.json"


def test_tokens(home: Path) -> None:
    put(
        home / ".docker/config.json",
        auths={"h": {**packed("u"), "identitytoken": "refresh"}, "r": {"registrytoken": "shown"}},
    )
    found = find_credentials("h", "a")
    assert found is not None
    assert found.refresh_token == "refresh"
    found = find_credentials("r", "a")
    assert found is not None
    assert found.token == "shown"


def helper(home: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "bin" / f"docker-credential-{name}"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\nread -r host\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


ANSWER = """[ "$1" = get ] && printf '{"ServerURL":"%s","Username":"'"$WHO"'","Secret":"%s"}' \
"$host" "sesame opens" """


def test_helpers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        home / ".docker/config.json",
        credHelpers={"one": "mine"},
        credsStore="all",
        auths={"three": packed("three")},
    )
    helper(home, "mine", ANSWER, monkeypatch)
    helper(
        home, "all", f'[ "$host" = two ] || {{ echo "not found"; exit 1; }}\n{ANSWER}', monkeypatch
    )
    monkeypatch.setenv("WHO", "helped")
    assert user_of("one") == "helped"
    assert user_of("two") == "helped"
    assert user_of("three") == "three"
    monkeypatch.setenv("WHO", "<token>")
    found = find_credentials("one", "a")
    assert found is not None
    assert (found.refresh_token, found.password) == (SECRET, "")


@pytest.mark.parametrize(
    "script, said",
    [
        ("echo the vault is locked >&2; exit 3", "docker-credential-mine failed"),
        ("echo sesame opens", "said no JSON"),
        ('echo \'{"Secret": "sesame opens"}\'', "said no JSON"),
        ("echo sesame opens; exit 1", "docker-credential-mine failed"),
    ],
)
def test_helpers_that_fail(
    home: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    put(home / ".docker/config.json", credHelpers={"one": "mine"})
    helper(home, "mine", script, monkeypatch)
    with pytest.raises(RegistryError, match=said) as failed:
        find_credentials("one", "a")
    assert SECRET not in _all_of(failed.value)


@pytest.mark.parametrize("name", ["absent", "../../bin/sh", "a b"])
def test_helpers_that_are_missing(home: Path, name: str) -> None:
    put(home / ".docker/config.json", credHelpers={"one": name})
    with pytest.raises(RegistryError, match="is missing"):
        find_credentials("one", "a")


def test_damaged_files(home: Path) -> None:
    file = home / ".docker/config.json"
    put(file, auths={"h": {"auth": f"{SECRET}!"}})
    with pytest.raises(ConfigError, match=r"config\.json: auths: h: auth is not base64") as failed:
        find_credentials("h", "a")
    assert SECRET not in _all_of(failed.value)
    for text in ("{", "[]", '"x"', "\0"):
        file.write_text(text)
        with pytest.raises(ConfigError, match=str(file)):
            find_credentials("h", "a")


def test_secrets_are_not_shown() -> None:
    shown = repr(Credentials(user="u", password=SECRET, token=SECRET, refresh_token=SECRET))
    assert SECRET not in shown


def _all_of(failure: LapstrakeError) -> str:
    """All that anybody could print of an error."""
    cause = failure if failure.__suppress_context__ else failure.__context__
    return f"{failure}{failure.__cause__!r}{cause!r}"
