"""From packages to running containers: docker, podman and skopeo at a running registry.

One server and one work folder for all tests; it makes two images: a minimal one and one on the base
OS, each with a package of the archive and one that was built here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engines import remove_images
from lapstrake.host.process import find_program
from registry_server import Served, served
from roots import clone, run_cli
from shop import EXAMPLES

OWN, FOREIGN = "greeting", "hello"
MINIMAL, ON_BASE = f"{OWN}/{FOREIGN}", f"base/{OWN}/{FOREIGN}"


@pytest.fixture(scope="module")
def place(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder whose branch ``stable`` has a package of our own."""
    work_dir = clone(base_work_dir, tmp_path_factory.mktemp("clients") / "work")
    done = run_cli("build", str(EXAMPLES / "native" / OWN), "stable", work_dir=work_dir)
    assert done.ok, done.stderr
    return work_dir


@pytest.fixture(scope="module")
def registry(place: Path) -> Iterator[Served]:
    with served(place) as running:
        yield running


@pytest.fixture(scope="module")
def docker(docker_daemon: str, registry: Served) -> Iterator[dict[str, str]]:
    """Variables that lead to the daemon; what was pulled is removed in the end."""
    variables = {"DOCKER_HOST": docker_daemon}
    yield variables
    remove_images(variables, registry.host)


@dataclass(frozen=True, kw_only=True)
class Client:
    """docker or podman.

    Attributes:
        program: its name.
        host: the registry's.
        environment: leads to its store.
        insecure: the words that let it do without TLS.
    """

    program: str
    host: str
    environment: dict[str, str]
    insecure: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path)

    def call(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(
            [self.program, *words],
            capture_output=True,
            text=True,
            timeout=600,
            env={**path, "HOME": str(self.folder), **self.environment},
        )

    def ok(self, *words: str | Path) -> str:
        done = self.call(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}\n{done.stdout}"
        return done.stdout.strip()

    def pull(self, name: str) -> str:
        """Pull an image of the branch ``stable``; gives how it is called here."""
        reference = f"{self.host}/{name}:stable"
        self.ok("pull", "--quiet", *self.insecure, reference)
        return reference

    def run(self, image: str, *words: str, network: str = "none") -> str:
        return self.ok("run", "--rm", f"--network={network}", image, *words)

    def digest(self, image: str) -> str:
        """The digest that the registry gave it."""
        digests = json.loads(self.ok("image", "inspect", image))[0]["RepoDigests"]
        host_and_name = image.rpartition(":")[0]
        found: set[str] = {
            each.partition("@")[2] for each in digests if each.startswith(f"{host_and_name}@")
        }
        assert len(found) == 1 or self.program == "podman", digests
        return min(found)


@pytest.fixture(params=["docker", "podman"])
def client(request: pytest.FixtureRequest, registry: Served, tmp_path: Path) -> Client:
    """Each engine in turn."""
    if request.param == "docker":
        return Client(
            program="docker",
            host=registry.host,
            environment=request.getfixturevalue("docker"),
            folder=tmp_path,
        )
    return Client(
        program="podman",
        host=registry.host,
        environment=request.getfixturevalue("podman_settings"),
        insecure=("--tls-verify=false",),
        folder=tmp_path,
    )


def skopeo(*words: str) -> subprocess.CompletedProcess[str]:
    if find_program("skopeo") is None:
        pytest.skip("skopeo is not installed (apt install skopeo)")
    return subprocess.run(["skopeo", *words], capture_output=True, text=True, timeout=600)


def manifest(registry: Served, name: str, tag: str = "stable") -> str:
    """A manifest as skopeo gets it."""
    done = skopeo(
        "inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/{name}:{tag}"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [MINIMAL, ON_BASE])
def test_pulled_and_run(client: Client, name: str) -> None:
    image = client.pull(name)
    assert client.run(image, "hello") == "Hello, world!"
    assert client.run(image, "greeting") == "Good day"


@pytest.mark.parametrize("client", ["podman"], indirect=True)
@pytest.mark.parametrize("name", [MINIMAL, ON_BASE])
def test_dpkg_finds_nothing_wrong(client: Client, name: str, tmp_path: Path) -> None:
    """From outside: minimal images have no dpkg."""
    image = client.pull(name)
    container = client.ok("create", "--network=none", image, "hello")
    client.ok("export", "--output", tmp_path / "root.tar", container)
    client.ok("rm", container)
    (tmp_path / "root").mkdir()
    subprocess.run(
        ["tar", "-xf", tmp_path / "root.tar", "-C", tmp_path / "root", "--exclude=dev/*"],
        check=True,
    )
    root = f"--root={tmp_path / 'root'}"
    audit = subprocess.run(["dpkg", root, "--audit"], capture_output=True, text=True)
    assert (audit.returncode, audit.stdout, audit.stderr) == (0, "", "")
    listing = subprocess.run(
        ["dpkg-query", root, "-W", "-f", "${Package} ${db:Status-Status}\n"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {f"{OWN} installed", f"{FOREIGN} installed"} <= set(listing)
    assert all(line.endswith(" installed") for line in listing)
    verified = subprocess.run(["dpkg", root, "--verify", OWN, FOREIGN], capture_output=True)
    assert (verified.returncode, verified.stdout) == (0, b"")


@pytest.mark.parametrize("client", ["docker"], indirect=True)
def test_apt_in_a_running_image(client: Client) -> None:
    """It finds all in order, and installs what is new."""
    image = client.pull(ON_BASE)
    script = """
        set -e
        dpkg --audit
        apt-get -q check
        apt-get -q update
        apt-get -q -y install --no-install-recommends sl
        dpkg --audit
        test -x /usr/games/sl
        apt-get -q -y purge sl greeting
        apt-get -q check
    """
    done = client.call("run", "--rm", "--network=host", image, "sh", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_pulls_are_one_image(client: Client, registry: Served) -> None:
    first = client.pull(MINIMAL)
    digest = client.digest(first)
    client.ok("rmi", "--force", first)
    assert client.digest(client.pull(MINIMAL)) == digest
    by_digest = f"{client.host}/{MINIMAL}@{digest}"
    client.ok("pull", "--quiet", *client.insecure, by_digest)
    assert client.run(by_digest, "hello") == "Hello, world!"


def test_the_order_of_packages_is_no_matter(registry: Served) -> None:
    here = manifest(registry, MINIMAL)
    assert manifest(registry, f"{FOREIGN}/{OWN}") == here
    assert manifest(registry, f"{FOREIGN}/{OWN}/{FOREIGN}") == here
    assert manifest(registry, MINIMAL, "latest") == here
    assert manifest(registry, ON_BASE) != here


def test_another_server_makes_the_same(registry: Served, place: Path, tmp_path: Path) -> None:
    """The same packages, another machine's work folder: the same bytes."""
    here = manifest(registry, MINIMAL)
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", str(place), str(other)], check=True)
    shutil.rmtree(other / "images")
    with served(other) as another:
        assert manifest(another, MINIMAL) == here


def test_layers_are_shared(registry: Served) -> None:
    """A package's layer is the same in another image."""
    layers = [
        {layer["digest"] for layer in json.loads(manifest(registry, name))["layers"]}
        for name in (MINIMAL, FOREIGN)
    ]
    assert len(layers[0] & layers[1]) >= len(layers[1]) - 1


def test_skopeo_copies_all(registry: Served, tmp_path: Path) -> None:
    source = f"docker://{registry.host}/{MINIMAL}:stable"
    copied = skopeo("copy", "--src-tls-verify=false", source, f"dir:{tmp_path / 'copy'}")
    assert copied.returncode == 0, copied.stderr
    assert (tmp_path / "copy/manifest.json").read_text() == manifest(registry, MINIMAL)
    target = f"docker://{registry.host}/push/copied:v1"
    pushed = skopeo("copy", "--dest-tls-verify=false", f"dir:{tmp_path / 'copy'}", target)
    assert pushed.returncode == 0, pushed.stderr
    assert manifest(registry, "push/copied", "v1") == manifest(registry, MINIMAL)


def test_pushed_and_pulled_again(client: Client) -> None:
    made = client.pull(MINIMAL)
    pushed = f"{client.host}/push/by-{client.program}:v1"
    client.ok("tag", made, pushed)
    client.ok("push", "--quiet", *client.insecure, pushed)
    client.ok("rmi", pushed)
    client.ok("pull", "--quiet", *client.insecure, pushed)
    assert client.run(pushed, "greeting") == "Good day"


def test_made_names_cannot_be_pushed_to(client: Client) -> None:
    made = client.pull(MINIMAL)
    for name in (MINIMAL, FOREIGN, "anything"):
        client.ok("tag", made, f"{client.host}/{name}:mine")
        done = client.call("push", "--quiet", *client.insecure, f"{client.host}/{name}:mine")
        assert done.returncode != 0
        client.ok("rmi", f"{client.host}/{name}:mine")


def test_the_command_line_pushes(registry: Served, place: Path) -> None:
    target = f"docker://{registry.host}/push/from-cli:v1"
    done = run_cli("image", "build", OWN, FOREIGN, "-b", "stable", "-o", target, work_dir=place)
    assert done.ok, done.stderr
    assert manifest(registry, "push/from-cli", "v1") == manifest(registry, MINIMAL)


def test_missing_packages_are_all_named(client: Client) -> None:
    name = f"no-such-one/{FOREIGN}/no-such-two"
    done = client.call("pull", *client.insecure, f"{client.host}/{name}:stable")
    assert done.returncode != 0
    skopeo_said = skopeo("inspect", "--tls-verify=false", f"docker://{client.host}/{name}:stable")
    assert skopeo_said.returncode != 0
    for said in (done.stderr, skopeo_said.stderr):
        assert "no-such-one" in said
        assert "no-such-two" in said


def test_a_branch_that_is_missing(registry: Served) -> None:
    done = skopeo("inspect", "--tls-verify=false", f"docker://{registry.host}/{FOREIGN}:nowhere")
    assert done.returncode != 0
    assert "nowhere" in done.stderr


def test_bad_targets_are_told_at_once(place: Path, tmp_path: Path) -> None:
    """Before anything is made: an image of packages that do not exist gets that far, too."""
    for status, target in ((2, "floppy:a"), (2, "docker://x/UP"), (24, f"tar:{tmp_path}/no/a")):
        done = run_cli("image", "build", "no-such-one", "-o", target, work_dir=place)
        assert done.status == status, done.stderr
        assert target in done.stderr
        assert "Traceback" not in done.stderr


def test_packages_that_exclude_each_other(registry: Served) -> None:
    name = "exim4-daemon-light/exim4-daemon-heavy"
    done = skopeo("inspect", "--tls-verify=false", f"docker://{registry.host}/{name}:stable")
    assert done.returncode != 0
    assert "exim4-daemon-light" in done.stderr.partition("stable")[2]
