"""Images of Nix packages and what is told of them, from a running registry."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from attest_judges import judge_cyclonedx, judge_provenance, judge_spdx
from lapstrake.host.process import find_program
from nix_packages import write_packages
from registry_server import OCI_MANIFEST, Served, served, sha256

_DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
_JUDGES = {
    "application/spdx+json": judge_spdx,
    "application/vnd.cyclonedx+json": judge_cyclonedx,
    "application/vnd.in-toto+json": judge_provenance,
}


@pytest.fixture(scope="module")
def registry(nix_folder: Path) -> Iterator[Served]:
    settings = (f"nix.path={write_packages(nix_folder / 'packages')}",)
    work_dir = nix_folder / "work"
    with served(work_dir, settings=settings, NIX_CONFIG="substituters =") as running:
        yield running


@pytest.mark.parametrize("kind", [OCI_MANIFEST, _DOCKER])
def test_a_pulled_image_has_referrers(registry: Served, kind: str) -> None:
    with registry.client() as client:
        answer = client.get("/v2/nix/hello/manifests/latest", headers={"Accept": kind})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == kind
        digest = sha256(answer.content)
        index = client.get(f"/v2/nix/hello/referrers/{digest}").json()
        assert {row["artifactType"] for row in index["manifests"]} == set(_JUDGES)
        for row in index["manifests"]:
            manifest = client.get(f"/v2/nix/hello/manifests/{row['digest']}")
            assert sha256(manifest.content) == row["digest"]
            assert manifest.json()["subject"]["digest"] == digest
            layer = manifest.json()["layers"][0]["digest"]
            document = client.get(f"/v2/nix/hello/blobs/{layer}", follow_redirects=True)
            _JUDGES[row["artifactType"]](document.json())


def test_all_missing_names_are_in_the_answer(registry: Served) -> None:
    with registry.client() as client:
        answer = client.get("/v2/nix/zilch/hello/nope/manifests/latest")
        assert answer.status_code == 404
        (error,) = answer.json()["errors"]
        assert error["code"] == "MANIFEST_UNKNOWN"
        assert "nope" in error["message"]
        assert "zilch" in error["message"]
        assert error["detail"]["pkgs"] == ["nope", "zilch"]


def test_skopeo_copies_it(registry: Served, tmp_path: Path) -> None:
    if find_program("skopeo") is None:
        pytest.skip("needs skopeo (apt install skopeo)")
    source = f"docker://{registry.host}/nix/hello:latest"
    options = ("--insecure-policy", "--src-tls-verify=false")
    done = subprocess.run(
        ["skopeo", "copy", *options, source, f"oci:{tmp_path}/copy:hello"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    index = json.loads((tmp_path / "copy/index.json").read_bytes())
    assert len(index["manifests"]) == 1
