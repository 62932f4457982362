"""Bills of material and provenance, judged by the specifications' own schemas and tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL
from spdx_tools.spdx.model.relationship import RelationshipType

from attest_closures import COPYRIGHT, debian_closure, image
from attest_judges import judge_cyclonedx, judge_provenance, judge_spdx
from lapstrake.blobs.local import LocalBlobs
from lapstrake.blobs.referrers import referrers
from lapstrake.errors import ImageError
from lapstrake.grouping.base import Graph, Node
from lapstrake.image.attest.attach import DocumentKind, attach_documents, read_document
from lapstrake.image.attest.cyclonedx import cyclonedx_document
from lapstrake.image.attest.provenance import provenance_statement
from lapstrake.image.attest.spdx import spdx_document
from lapstrake.image.attest.subject import Subject
from lapstrake.image.sources.base import Closure, Member
from lapstrake.names import Digest


@pytest.fixture(params=["minimal", "on a base"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    closure = debian_closure(tmp_path, below=request.param == "on a base")
    return Subject.of(image("bash"), closure)


def test_spdx_names_packages_sources_and_what_needs_what(subject: Subject) -> None:
    document = spdx_document(subject)
    parsed = judge_spdx(document)
    packages = {package.spdx_id: package for package in parsed.packages}
    bash, libc = packages["SPDXRef-Package-bash"], packages["SPDXRef-Package-libc6"]
    assert bash.checksums[0].value == "b" * 64
    assert bash.file_name == "bash_5.2-2_amd64.deb"
    assert bash.external_references[0].locator == (
        "pkg:deb/debian/bash@5.2-2?arch=amd64&distro=debian-12"
    )
    assert libc.supplier.email == "debian-glibc@lists.debian.org"
    assert libc.homepage == "https://example.org/libc"
    relations = {
        (r.spdx_element_id, r.relationship_type, r.related_spdx_element_id)
        for r in parsed.relationships
    }
    generated = RelationshipType.GENERATED_FROM
    assert ("SPDXRef-Package-libc6", generated, "SPDXRef-Source-glibc-2.36-9") in relations
    needed = ("SPDXRef-Package-bash", RelationshipType.DEPENDS_ON, "SPDXRef-Package-libc6")
    assert needed in relations
    assert "SPDXRef-Package-removed" not in packages
    if not subject.closure.below:
        assert str(libc.license_declared) == (
            "(GPL-3.0-or-later OR MIT) AND LGPL-2.1-or-later AND LicenseRef-BSL-mine"
        )


def test_cyclonedx_names_packages_and_what_needs_what(subject: Subject) -> None:
    document = cyclonedx_document(subject)
    judge_cyclonedx(document)
    components = {each["name"]: each for each in document["components"]}
    assert set(components) == {"debian", "bash", "libc6"}
    purl = PackageURL.from_string(components["libc6"]["purl"])
    assert (purl.type, purl.namespace, purl.name, purl.version) == (
        "deb", "debian", "libc6", "2.36-9",
    )  # fmt: skip
    assert components["bash"]["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    depends = {each["ref"]: each["dependsOn"] for each in document["dependencies"]}
    assert depends["bash"] == ["libc6"]
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"


def test_the_provenance_names_materials_and_the_request(subject: Subject) -> None:
    document = provenance_statement(subject)
    judge_provenance(document)
    assert [each["digest"]["sha256"] for each in document["subject"]] == [
        subject.image.oci.digest.hex, subject.image.docker and subject.image.docker.digest.hex,
    ]  # fmt: skip
    build = document["predicate"]["buildDefinition"]
    assert build["externalParameters"]["packages"] == ["bash"]
    assert build["internalParameters"]["sources"]["releases"] == {"file:/InRelease": "d" * 64}
    materials = {each["name"]: each for each in build["resolvedDependencies"]}
    bash = materials["bash_5.2-2_amd64.deb"]
    assert bash["digest"] == {"sha256": "b" * 64}
    assert bash["annotations"] == {"lapstrake:build": "20260101-bash"}
    assert ("layer base" in materials) == bool(subject.closure.below)


@pytest.mark.parametrize("target", ["libc6", "/etc", "../../../../../../etc", "gone", "bash"])
def test_documentation_that_is_a_link_is_passed_over(tmp_path: Path, target: str) -> None:
    closure = debian_closure(tmp_path)
    docs = closure.members["bash"].tree / "usr/share/doc"
    (docs / "bash/copyright").unlink()
    (docs / "bash").rmdir()
    (docs / "bash").symlink_to(target)
    (docs / "libc6").mkdir()
    (docs / "libc6/copyright").write_text(COPYRIGHT)
    (bash, _) = Subject.of(image("bash"), closure).parts.parts
    assert (bash.name, bash.license) == ("bash", "")


NAMES = st.text(
    st.sampled_from("abz019.+-:~_"), min_size=1, max_size=12
).filter(lambda name: name[0].isalnum())  # fmt: skip


@st.composite
def closures(draw: st.DrawFn) -> Closure:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    versions = st.text(st.sampled_from("019.+:~-a"), max_size=8)
    facts = st.fixed_dictionaries(
        {"version": versions, "arch": st.sampled_from(["amd64", "all"])},
        optional={
            "source": NAMES,
            "source_version": versions.filter(bool),
            "license": st.sampled_from(["MIT", "MIT OR LicenseRef-a"]),
        },
    )
    members = {
        name: Member(id=name, content=name, tree=Path("/nonexistent"), facts=draw(facts))
        for name in names
    }
    references = st.lists(st.sampled_from(names)).map(tuple)
    nodes = {name: Node(name=name, references=draw(references)) for name in names}
    return Closure(graph=Graph(nodes=nodes, roots=(names[0],)), members=members)


@settings(max_examples=40)
@given(closures())
def test_any_closure_gives_valid_documents(closure: Closure) -> None:
    subject = Subject.of(image(*closure.graph.roots), closure)
    judge_spdx(spdx_document(subject))
    bill = cyclonedx_document(subject)
    judge_cyclonedx(bill)
    refs = [each["bom-ref"] for each in bill["components"]]
    assert len(refs) == len(set(refs)) == len(closure.members)
    assert {ref for each in bill["dependencies"] for ref in each["dependsOn"]} <= set(refs)
    judge_provenance(provenance_statement(subject))


def test_documents_are_the_same_for_the_same_image(tmp_path: Path) -> None:
    texts = []
    for folder in ("one", "two"):
        blobs = LocalBlobs(tmp_path / folder / "blobs")
        made = image("bash")
        closure = debian_closure(tmp_path / folder)
        turned = Closure(
            graph=closure.graph,
            members=dict(reversed(list(closure.members.items()))),
            top=closure.top, created=closure.created, sources=closure.sources,
        )  # fmt: skip
        attach_documents(blobs, made, turned if folder == "two" else closure)
        texts.append([read_document(blobs, made, kind) for kind in DocumentKind])
    assert texts[0] == texts[1]


def test_documents_are_referrers_of_both_manifests(tmp_path: Path) -> None:
    blobs, made = LocalBlobs(tmp_path / "blobs"), image("bash")
    attached = attach_documents(blobs, made, debian_closure(tmp_path))
    assert attach_documents(blobs, made, debian_closure(tmp_path)) == attached
    assert made.docker is not None
    for target in (made.oci, made.docker):
        rows = referrers(blobs, target.digest)
        assert {row["artifactType"] for row in rows} == {
            "application/spdx+json",
            "application/vnd.cyclonedx+json",
            "application/vnd.in-toto+json",
        }
        for row in rows:
            data = b"".join(blobs.read(Digest("sha256", row["digest"].removeprefix("sha256:"))))
            assert len(data) == row["size"]
            manifest = json.loads(data)
            assert manifest["artifactType"] == row["artifactType"]
            assert manifest["subject"]["digest"] == str(target.digest)
            for each in (manifest["config"], *manifest["layers"]):
                stored = Digest("sha256", each["digest"].removeprefix("sha256:"))
                assert blobs.find(stored) == each["size"]
    assert len(attached) == 6


def test_an_image_without_documents_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="has no document spdx"):
        read_document(LocalBlobs(tmp_path), image("bash"), DocumentKind.SPDX)
