"""What servers learn of a user when packages that were fetched say which servers are asked."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from lapstrake.artifact.depot import Depot
from lapstrake.artifact.getting.flow import get_each, terms_of
from lapstrake.artifact.getting.found import Missing
from lapstrake.artifact.manifest.project import read_project
from lapstrake.config.model import ArtifactsConfig, CacheConfig, Config, Rewrite
from lapstrake.progress import Silent
from webserver import Site, fail, running_site

SECRETS = {
    "MINE": "secret-mine",
    "GITHUB_TOKEN": "secret-github",
    "GH_TOKEN": "secret-gh",
    "GH_ENTERPRISE_TOKEN": "secret-enterprise",
    "GITEA_TOKEN": "secret-gitea",
}
PACKAGE = '[package]\nname = "evil"\ntype = "package"\nversion = "1"\n[[site]]\n'
SITES = {
    "headers": ('url = "URL"\nheaders = { X = "${MINE}" }', "MINE"),
    "query": ('url = "URL"\nquery = { x = "a${MINE}" }', "MINE"),
    "gitea": ('gitea = "URL/o/n"', "GITEA_TOKEN"),
    "gitea's token": ('gitea = "URL/o/n"\ntoken = "${MINE}"\napi = true', "GITEA_TOKEN"),
    "github": ('github = "o/n"\nserver = "URL"', "GH_ENTERPRISE_TOKEN"),
    "github's token": ('github = "o/n"\nserver = "URL"\ntoken = "${MINE}"', "GH_ENTERPRISE_TOKEN"),
}
"""A site, and whose secret it gets from those who trust it."""


@pytest.fixture
def server() -> Iterator[Site]:
    with running_site() as server:
        yield server


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, no program ``gh``; a password for the host in netrc(5), which nobody asked for."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


def ask(folder: Path, site: str, *, fetched: bool, **config: object) -> str:
    """Get the artifact of a project's only dependency; gives what is said of its being nowhere."""
    if fetched:
        packed = folder / "evil.tar"
        with tarfile.open(packed, "w") as tar:
            entry = tarfile.TarInfo("evil/lapstrake.toml")
            entry.size = len(PACKAGE + site)
            tar.addfile(entry, io.BytesIO((PACKAGE + site).encode()))
        digits = sha256(packed.read_bytes()).hexdigest()
        source = f'url = "{packed.as_uri()}"\nsha256 = "{digits}"'
    else:
        (folder / "evil").mkdir()
        (folder / "evil/lapstrake.toml").write_text(PACKAGE + site)
        source = 'path = "../evil"'
    (folder / "app").mkdir()
    (folder / "app/lapstrake.toml").write_text(
        f'[project]\nname = "app"\n[dependencies.evil]\n{source}\n'
    )
    rewrites = config.pop("rewrites", ())
    depot = Depot(
        config=Config(
            work_dir=folder / "work",
            cache=CacheConfig(download_dir=folder / "downloads"),
            artifacts=ArtifactsConfig(retries=0, **config),  # type: ignore[arg-type]
            rewrites=rewrites,  # type: ignore[arg-type]
        ),
        environment=SECRETS,
    )
    project = read_project(folder / "app", depot=depot)
    (missing,) = get_each(project, project.packages, depot, terms_of(depot), Silent())
    assert isinstance(missing, Missing)
    return "\n".join(f"{each.where}: {each.said}" for each in missing.tried)


def heard(server: Site) -> str:
    """All that the server was told."""
    return json.dumps(server.requests)


@pytest.mark.parametrize("kind", SITES)
def test_a_fetched_package_gets_no_secret(tmp_path: Path, server: Site, kind: str) -> None:
    site, variable = SITES[kind]
    said = ask(tmp_path, site.replace("URL", server.url), fetched=True)
    assert "secret" not in heard(server) + said
    assert "authorization" not in heard(server).lower()
    if "${" in site and "url" in site:
        assert f"wants the variable {variable}" in said
        assert "artifacts.trusted" in said
    else:
        assert server.requests  # it is asked like any stranger


@pytest.mark.parametrize("kind", SITES)
def test_whom_the_user_trusts(tmp_path: Path, server: Site, kind: str) -> None:
    site, variable = SITES[kind]
    said = ask(tmp_path, site.replace("URL", server.url), fetched=True, trusted=(server.url,))
    assert SECRETS[variable] in heard(server)
    assert "secret" not in said


def test_trust_is_in_a_host_with_tls(tmp_path: Path, server: Site) -> None:
    """And not in whoever answers at its name without."""
    site = SITES["headers"][0].replace("URL", server.url)
    host = server.url.removeprefix("http://")
    assert "wants the variable" in ask(tmp_path, site, fetched=True, trusted=(host,))
    assert not server.requests


@pytest.mark.parametrize("kind", ["headers", "query", "gitea"])
def test_a_folder_of_the_users_own(tmp_path: Path, server: Site, kind: str) -> None:
    site, variable = SITES[kind]
    ask(tmp_path, site.replace("URL", server.url), fetched=False)
    assert SECRETS[variable] in heard(server)


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "99999999999", "\xb2", "-1", "1e9"])
def test_numbers_of_headers_that_are_none(tmp_path: Path, server: Site, number: str) -> None:
    """A server that says nonsense is one that has nothing, and no end of everything."""
    limit = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": number}
    path = "/o/n/releases/download/v1/evil-linux_x86_64-1-E3B0C44.tar.gz"
    server.put(path, fail(403, **limit))
    server.put("/api/v1/repos/o/n/releases/tags/v1", fail(429, Retry_After=number))
    site = f'gitea = "{server.url}/o/n"'
    assert "its rate limit is used up" in ask(tmp_path, site, fetched=True)


def test_a_mirror_gets_none(tmp_path: Path, server: Site) -> None:
    site = 'url = "https://files.example/a"\nheaders = { X = "${MINE}" }\n'
    site += 'query = { x = "${MINE}", y = "plain" }'
    rule = Rewrite(prefix="https://files.example/", replacements=(f"{server.url}/",))
    ask(tmp_path, site, fetched=False, rewrites=(rule,))
    assert "secret" not in heard(server)
    assert "y=plain" in heard(server)


@pytest.mark.parametrize("fetched", [True, False])
def test_a_registry_without_tls(
    tmp_path: Path, server: Site, monkeypatch: pytest.MonkeyPatch, fetched: bool
) -> None:
    """Who listens on the way could have had a package say ``plain`` of a registry we log in to."""
    port = server.url.rpartition(":")[2]
    host = f"127.1:{port}"  # no address of this machine, by its looks
    password = base64.b64encode(b"me:secret-registry").decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {host: {"auth": password}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    server.put("/v2/", fail(401, WWW_Authenticate='Basic realm="x"'))
    said = ask(tmp_path, f'oci = "{host}/a/b"\nplain = true', fetched=fetched)
    assert (password in heard(server)) is not fetched
    assert server.requests
    assert "secret" not in said
