"""Which manifest a client gets, and what it is told when there is none."""

from __future__ import annotations

import hashlib

import pytest

from lapstrake.names import Digest
from lapstrake.oci.descriptors import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
)
from lapstrake.registry.demand.accept import accepted, choose, wants_index
from lapstrake.registry.demand.failures import (
    child_problem,
    late_problem,
    package_of,
    waited_problem,
)
from lapstrake.registry.demand.images import Manifests, manifests_document, read_manifests
from lapstrake.registry.demand.jobs import Job, State
from lapstrake.registry.problems import Problem

DOCKER_2010 = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "*/*;q=0.1",
]
JOB = Job(number=7, name="greet:stable", state=State.RUNNING, step="configuring 3 packages")


def descriptor(media_type: str) -> Descriptor:
    digest = Digest("sha256", hashlib.sha256(media_type.encode()).hexdigest())
    return Descriptor(media_type=media_type, digest=digest, size=1)


def manifests(*, docker: bool = True, index: bool = False) -> Manifests:
    theirs = descriptor(DOCKER_LIST if index else DOCKER_MANIFEST)
    ours = descriptor(OCI_INDEX if index else OCI_MANIFEST)
    return Manifests(oci=ours, docker=theirs if docker else None, keys={"amd64": "0" * 64})


@pytest.mark.parametrize(
    "accept, wanted",
    [
        ([], OCI_MANIFEST),
        (["*/*"], OCI_MANIFEST),
        (["application/json"], OCI_MANIFEST),
        ([OCI_MANIFEST], OCI_MANIFEST),
        ([DOCKER_MANIFEST], DOCKER_MANIFEST),
        ([f"{DOCKER_MANIFEST}, {DOCKER_LIST};q=0.5"], DOCKER_MANIFEST),
        ([f"{DOCKER_MANIFEST},{OCI_MANIFEST}"], OCI_MANIFEST),
        ([DOCKER_MANIFEST.upper()], DOCKER_MANIFEST),
        (DOCKER_2010, OCI_MANIFEST),
    ],
)
def test_a_client_gets_what_it_reads(accept: list[str], wanted: str) -> None:
    assert choose("name", manifests(), accepted(accept)).media_type == wanted


@pytest.mark.parametrize(
    "accept, wanted",
    [
        ([], True),
        ([OCI_MANIFEST, DOCKER_MANIFEST], False),
        ([OCI_MANIFEST, DOCKER_LIST], True),
        ([DOCKER_MANIFEST], False),
        (DOCKER_2010, True),
    ],
)
def test_only_who_reads_indexes_gets_one(accept: list[str], wanted: bool) -> None:
    assert wants_index(accepted(accept)) is wanted


def test_an_index_comes_in_both_kinds() -> None:
    made = manifests(index=True)
    assert choose("name", made, accepted([OCI_INDEX])).media_type == OCI_INDEX
    assert choose("name", made, accepted([DOCKER_LIST])).media_type == DOCKER_LIST


def test_zstd_is_not_for_who_reads_docker_only() -> None:
    with pytest.raises(Problem) as refused:
        choose("name", manifests(docker=False), accepted([DOCKER_MANIFEST]))
    assert "zstd" in refused.value.message
    assert choose("name", manifests(docker=False), accepted(DOCKER_2010)).media_type == OCI_MANIFEST


@pytest.mark.parametrize("docker", [True, False])
def test_manifests_survive_json(docker: bool) -> None:
    made = manifests(docker=docker)
    assert read_manifests(manifests_document(made)) == made


@pytest.mark.parametrize("document", [{}, {"oci": {}}, {"oci": None, "docker": None, "keys": {}}])
def test_other_json_is_no_manifests(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no manifests"):
        read_manifests(document)


@pytest.mark.parametrize(
    "log, package",
    [
        ("", ""),
        ("Reading package lists...", ""),
        ("Unpacking hello (2.10-3) ...\nSetting up libc6:amd64 (2.36) ...", "libc6"),
        ("Setting up g++ (4:12.2.0-3) ...\nanything", "g++"),
        ("dpkg: error processing package broken (--configure):\n exit status 7", "broken"),
        ("Processing triggers for libc-bin (2.36-9) ...", "libc-bin"),
    ],
)
def test_the_package_that_dpkg_was_at(log: str, package: str) -> None:
    assert package_of(log) == package


def test_a_death_names_the_signal_the_step_and_the_package() -> None:
    problem = child_problem(JOB, "Setting up broken (1) ...", -9, {})
    assert problem.status == 500
    for word in ("greet:stable", "configuring 3 packages", "broken", "SIGKILL"):
        assert word in problem.message
    assert "status 3" in child_problem(JOB, "", 3, {}).message
    assert "signal 250" in child_problem(JOB, "", -250, {}).message


def test_a_late_one_names_its_last_line() -> None:
    problem = late_problem(JOB, "one\ntwo", seconds=60)
    assert "60 s" in problem.message
    assert problem.message.endswith("two")


def test_who_waited_in_vain_is_told_for_what() -> None:
    waiting = Job(number=9, name="greet:stable")
    problem = waited_problem("greet:stable", waiting, "", seconds=60, before=4)
    assert problem.status == 429
    assert "4 are before it" in problem.message
    assert "configuring" in waited_problem("x", JOB, "", seconds=60, before=0).message
    assert "another process" in waited_problem("x", None, "", seconds=60, before=0).message
