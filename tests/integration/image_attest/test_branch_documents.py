"""Bills of material and provenance of images of a branch, one of its own packages among them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attest_judges import judge_cyclonedx, judge_provenance, judge_spdx
from lapstrake.blobs.local import LocalBlobs
from lapstrake.image.attest.attach import DocumentKind, read_document
from lapstrake.image.base import Image
from lapstrake.image.make import make_image
from lapstrake.image.names import read_words
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from roots import clone, open_work_dir

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
BUILD = "20260101-120000000-greet-ab12"
CONTROL = """Package: greet
Version: 1.0
Architecture: all
Source: greetings (1.0-2)
Depends: hello
Maintainer: A Person <person@example.org>
Homepage: https://example.org/greet
Description: greets
"""
COPYRIGHT = "Format: https://www.debian.org/x\n\nFiles: *\nCopyright: me\nLicense: Expat\n"
Json = dict[str, Any]


def greet(folder: Path) -> Path:
    """Build the package."""
    for name, text in (("DEBIAN/control", CONTROL), ("usr/share/doc/greet/copyright", COPYRIGHT)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    deb = folder.with_name("greet_1.0_all.deb")
    words = ["dpkg-deb", "--root-owner-group", "-b", str(folder), str(deb)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return deb


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return greet(tmp_path_factory.mktemp("greet") / "tree")


@pytest.fixture(scope="module")
def place(base_work_dir: Path, deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    place = open_work_dir(clone(base_work_dir, tmp_path_factory.mktemp("attest") / "work"))
    images = replace(place.config.images, always=("base-files",))
    place = Workplace(replace(place.config, images=images), place.runner, place.progress)
    repository_of(place, BranchName("stable")).publish([deb], BUILD)
    return place


@pytest.fixture(scope="module", params=["minimal", "on a base"])
def made(place: Workplace, request: pytest.FixtureRequest) -> tuple[LocalBlobs, Image]:
    words = ["greet"] if request.param == "minimal" else ["base", "greet"]
    (wanted,) = read_words(place.config, words, "stable")
    blobs = LocalBlobs(place.config.work_dir / "images")
    return blobs, make_image(place, blobs, wanted)


def document(made: tuple[LocalBlobs, Image], kind: DocumentKind) -> Json:
    found: Json = json.loads(read_document(*made, kind))
    return found


def test_the_bills_name_all_that_the_image_has(made: tuple[LocalBlobs, Image], deb: Path) -> None:
    bill = document(made, DocumentKind.CYCLONEDX)
    judge_cyclonedx(bill)
    if not made[1].request.base:  # its judge takes ten seconds for a whole base OS
        judge_spdx(document(made, DocumentKind.SPDX))
    parts = {each["name"]: each for each in bill["components"] if each["type"] == "library"}
    assert len(parts) == len(made[1].packages)
    assert set(parts) == {name.partition("_")[0] for name in made[1].packages}
    own = parts["greet"]
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    assert own["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert own["licenses"] == [{"expression": "MIT"}]
    assert own["supplier"]["contact"] == [{"email": "person@example.org"}]
    properties = {each["name"]: each["value"] for each in own["properties"]}
    assert properties["lapstrake:source"] == "greetings"
    assert properties["lapstrake:source_version"] == "1.0-2"
    assert parts["libc6"]["purl"].startswith("pkg:deb/")
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    assert needs["greet"] == ["hello"]
    assert "libc6" in needs["hello"]


def test_the_provenance_names_build_and_release_files(
    made: tuple[LocalBlobs, Image], place: Workplace
) -> None:
    statement = document(made, DocumentKind.PROVENANCE)
    judge_provenance(statement)
    build = statement["predicate"]["buildDefinition"]
    materials = {each["name"]: each for each in build["resolvedDependencies"]}
    assert materials["greet_1.0_all.deb"]["annotations"] == {"lapstrake:build": BUILD}
    (hello,) = [each for name, each in materials.items() if name.startswith("hello_")]
    assert len(hello["digest"]["sha256"]) == 64
    assert "annotations" not in hello
    releases = build["internalParameters"]["sources"]["releases"]
    assert releases
    assert all(len(digest) == 64 for digest in releases.values())
    members = {each["digest"]["sha256"] for each in statement["subject"]}
    assert made[1].oci.digest.hex in members
