"""Images of Nix packages: made, the same each time, and run by docker and podman."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lapstrake.blobs.local import LocalBlobs
from lapstrake.image.attest.attach import DocumentKind, read_document
from lapstrake.image.base import Image
from lapstrake.image.make import made_image, make_image
from lapstrake.image.outputs.write import write_image
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.docker_options import ulimit_options
from nix_packages import nix_place, nix_request, write_packages
from roots import run_cli


def told(*argv: str | Path, **variables: str) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def configuration(blobs: LocalBlobs, image: Image) -> dict[str, object]:
    found = json.loads(b"".join(blobs.read(image.config.digest)))["config"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def archive(place: Workplace, tmp_path: Path) -> str:
    """An image of ``hello`` and the shell, as an archive."""
    blobs = LocalBlobs(tmp_path / "blobs")
    image = make_image(place, blobs, nix_request("hello", "bashinteractive"))
    target = f"docker-archive:{tmp_path}/image.tar:nix/hello:latest"
    write_image(blobs, image, target, progress=Silent())
    return str(tmp_path / "image.tar")


def test_docker_runs_it(archive: str, docker_daemon: str) -> None:
    docker = ("docker", "-H", docker_daemon)
    told(*docker, "load", "-i", archive)
    run = (*docker, "run", "--rm", "--network=none", "nix/hello:latest")
    assert told(*run, "hello") == "hello from nix\n"
    assert told(*run, "sh", "-c", "echo $SSL_CERT_FILE").strip() == ("/etc/ssl/certs/ca-bundle.crt")


def test_podman_runs_it(archive: str, podman_settings: dict[str, str]) -> None:
    told("podman", "load", "-i", archive, **podman_settings)
    options = ("--rm", "--network=none", *ulimit_options())
    run = ("podman", "run", *options, "localhost/nix/hello:latest", "hello")
    assert told(*run, **podman_settings) == "hello from nix\n"


def test_the_same_packages_give_the_same_image(nix_folder: Path, tmp_path: Path) -> None:
    images = []
    for name in ("one", "two"):
        place = nix_place(tmp_path / name, path=write_packages(tmp_path / f"{name}-packages"))
        blobs = LocalBlobs(tmp_path / f"{name}-blobs")
        images.append(make_image(place, blobs, nix_request("hello", "license")))
    assert images[0].oci.digest == images[1].oci.digest
    assert images[0].docker == images[1].docker


def test_the_image_says_what_to_run_and_what_is_in_it(place: Workplace, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    shell = make_image(place, blobs, nix_request("hello", "bashinteractive"))
    assert configuration(blobs, shell)["Cmd"] == ["bash"]
    assert "Cmd" not in configuration(blobs, make_image(place, blobs, nix_request("hello")))
    bill = json.loads(read_document(blobs, shell, DocumentKind.CYCLONEDX))
    purls = {component["purl"] for component in bill["components"]}
    assert {"pkg:nix/hello@2.12", "pkg:nix/greeting@1.0", "pkg:nix/tools"} <= purls


def test_only_a_fixed_revision_is_served_without_nix(nix_folder: Path, tmp_path: Path) -> None:
    repository = write_packages(tmp_path / "repository")
    git = ("git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b")
    told(*git, "init", "-q", "-b", "main")
    told(*git, "add", ".")
    told(*git, "commit", "-qm", "packages")
    commit = told(*git, "rev-parse", "HEAD").strip()
    place = nix_place(nix_folder / "work", repository=f"file://{repository}")
    blobs = LocalBlobs(tmp_path / "blobs")
    fixed, moving = nix_request("hello", tag=commit), nix_request("hello", tag="main")
    made = make_image(place, blobs, fixed)
    assert made_image(place, blobs, fixed) == made
    branch = make_image(place, blobs, moving)
    assert branch.oci == made.oci
    assert made_image(place, blobs, moving) is None
    assert made_image(place, blobs, nix_request("hello", tag=commit, budget=3)) is None


def test_layers_are_shared_between_images(place: Workplace, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    one = make_image(place, blobs, nix_request("hello"))
    two = make_image(place, blobs, nix_request("bashinteractive", "hello"))
    digests = [{layer.blob.digest for layer in image.layers} for image in (one, two)]
    assert len(digests[0] & digests[1]) == len(one.layers) - 1  # all but the links


def test_a_user_without_rights_makes_the_same_image(
    place: Workplace, nix_folder: Path, user_dir: tuple[str, Path], tmp_path: Path
) -> None:
    user, folder = user_dir
    shutil.copytree(nix_folder / "packages", folder / "packages")
    (folder / "conf").mkdir()
    (folder / "conf/config.toml").write_text(f'[nix]\npath = "{folder}/packages"\n')
    subprocess.run(["chown", "-R", user, folder], check=True)
    done = run_cli(
        "image", "build", "nix", "hello", "license", "--json", work_dir=folder, user=user,
        NIX_CONFIG="substituters =",
    )  # fmt: skip
    assert done.ok, done.stderr
    ours = make_image(place, LocalBlobs(tmp_path), nix_request("hello", "license"))
    assert json.loads(done.stdout)["oci"]["digest"] == str(ours.oci.digest)
