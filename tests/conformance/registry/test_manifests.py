"""OCI distribution specification 1.1, "Push" and "Content Management": manifests."""

from __future__ import annotations

import json

import httpx2
import pytest

from registry_server import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    error_code,
    manifest_of,
    push_blob,
    push_image,
    put_manifest,
    sha256,
    sha512,
)

_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def _index(*digests: str, kind: str = OCI_INDEX, **more: object) -> bytes:
    entries = [{"mediaType": OCI_MANIFEST, "digest": each, "size": 1} for each in digests]
    document = {"schemaVersion": 2, "mediaType": kind, "manifests": entries, **more}
    return json.dumps(document).encode()


def test_by_tag_and_by_digest(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    data = manifest_of(b"{}")
    for reference in ("v1", sha256(data)):
        answer = put_manifest(client, name, reference, data)
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/v2/{name}/manifests/{sha256(data)}"
        assert answer.headers["docker-content-digest"] == sha256(data)
        assert "oci-subject" not in answer.headers


def test_by_sha512(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    data = manifest_of(b"{}")
    answer = put_manifest(client, name, sha512(data), data)
    assert answer.headers["docker-content-digest"] == sha512(data)
    assert client.get(f"/v2/{name}/manifests/{sha512(data)}").content == data


@pytest.mark.parametrize("kind", [OCI_INDEX, _DOCKER_LIST])
def test_an_index(client: httpx2.Client, name: str, kind: str) -> None:
    members = [push_image(client, name, f"v{number}", bytes([number])) for number in (1, 2)]
    data = _index(*members, kind=kind)
    assert put_manifest(client, name, "all", data, kind).status_code == 201
    answer = client.get(f"/v2/{name}/manifests/all")
    assert (answer.content, answer.headers["content-type"]) == (data, kind)


def test_docker_schema_2(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    data = manifest_of(b"{}").replace(OCI_MANIFEST.encode(), _DOCKER_MANIFEST.encode())
    assert put_manifest(client, name, "v1", data, _DOCKER_MANIFEST).status_code == 201
    head = client.head(f"/v2/{name}/manifests/v1")
    assert head.headers["content-type"] == _DOCKER_MANIFEST


def test_a_tag_moves(client: httpx2.Client, name: str) -> None:
    digests = [push_image(client, name, "v1", layer) for layer in (b"one", b"two")]
    found = client.head(f"/v2/{name}/manifests/v1").headers["docker-content-digest"]
    assert found == digests[1]
    assert client.get(f"/v2/{name}/manifests/{digests[0]}").status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'"text"',
        b"[" * 100_000,
        b'{"schemaVersion": 1}',
        manifest_of(b"{}").replace(b'"schemaVersion": 2', b'"schemaVersion": "2"'),
        manifest_of(b"{}", config=None),
        manifest_of(b"{}", config=[]),
        manifest_of(b"{}", layers=None),
        manifest_of(b"{}", layers=[1]),
        manifest_of(b"{}", layers=[{"mediaType": "x", "digest": "sha256:0", "size": 1}]),
        manifest_of(b"{}", layers=[{"mediaType": "x", "digest": sha256(b""), "size": -1}]),
        manifest_of(b"{}", layers=[{"mediaType": 7, "digest": sha256(b""), "size": 1}]),
        manifest_of(b"{}", subject={}),
        manifest_of(b"{}", annotations=["x"]),
        manifest_of(b"{}", mediaType=OCI_INDEX),
        manifest_of(b"{}", mediaType={}),
        b"\xff\xfe",
    ],
)
def test_what_is_no_manifest(client: httpx2.Client, name: str, data: bytes) -> None:
    push_blob(client, name, b"{}")
    answer = put_manifest(client, name, "v1", data)
    assert (answer.status_code, error_code(answer)) == (400, "MANIFEST_INVALID")
    assert client.get(f"/v2/{name}/manifests/v1").status_code == 404


def test_unknown_media_types(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    data = manifest_of(b"{}", mediaType="application/vnd.unknown+json")
    for kind in ("application/vnd.unknown+json", ""):
        answer = put_manifest(client, name, "v1", data, kind)
        assert (answer.status_code, error_code(answer)) == (400, "MANIFEST_INVALID")


def test_parts_must_be_there(client: httpx2.Client, name: str) -> None:
    missing = (b"configuration", b"layer")
    answer = put_manifest(client, name, "v1", manifest_of(*missing))
    assert (answer.status_code, error_code(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")
    detail = answer.json()["errors"][0]["detail"]
    assert detail["digests"] == [sha256(blob) for blob in missing]
    answer = put_manifest(client, name, "v1", _index(sha256(b"member")), OCI_INDEX)
    assert (answer.status_code, error_code(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")


def test_layers_that_are_elsewhere_need_not_be_there(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": sha256(b"elsewhere"),
        "size": 9,
        "urls": ["https://example.org/layer"],
    }
    assert put_manifest(client, name, "v1", manifest_of(b"{}", layers=[foreign])).is_success


def test_a_wrong_digest(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    answer = put_manifest(client, name, sha256(b"other"), manifest_of(b"{}"))
    assert (answer.status_code, error_code(answer)) == (400, "DIGEST_INVALID")


def test_four_mebibytes_are_enough(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    small = manifest_of(b"{}", annotations={"fill": ""})
    most = manifest_of(b"{}", annotations={"fill": "x" * ((4 << 20) - len(small))})
    assert len(most) == 4 << 20
    assert put_manifest(client, name, "v1", most).status_code == 201
    answer = put_manifest(client, name, "v2", most + b" ")
    assert (answer.status_code, error_code(answer)) == (413, "SIZE_INVALID")
    assert client.get(f"/v2/{name}/manifests/v2").status_code == 404


def test_a_tag_is_removed(client: httpx2.Client, name: str) -> None:
    digest = push_image(client, name, "v1", b"layer")
    push_image(client, name, "v2", b"layer")
    assert client.delete(f"/v2/{name}/manifests/v1").status_code == 202
    assert client.get(f"/v2/{name}/manifests/v1").status_code == 404
    assert client.get(f"/v2/{name}/manifests/{digest}").status_code == 200
    assert client.get(f"/v2/{name}/tags/list").json()["tags"] == ["v2"]
    answer = client.delete(f"/v2/{name}/manifests/v1")
    assert (answer.status_code, error_code(answer)) == (404, "MANIFEST_UNKNOWN")


def test_a_manifest_is_removed_with_its_tags(client: httpx2.Client, name: str) -> None:
    digest = push_image(client, name, "v1", b"layer")
    push_image(client, name, "v2", b"layer")
    push_image(client, name, "other", b"other layer")
    assert client.delete(f"/v2/{name}/manifests/{digest}").status_code == 202
    for reference in ("v1", "v2", digest):
        assert client.get(f"/v2/{name}/manifests/{reference}").status_code == 404
    assert client.get(f"/v2/{name}/tags/list").json()["tags"] == ["other"]
    assert client.delete(f"/v2/{name}/manifests/{digest}").status_code == 404


def test_a_repository_ends_with_its_last_manifest(client: httpx2.Client, name: str) -> None:
    digest = push_image(client, name, "v1", b"layer")
    assert name in client.get("/v2/_catalog").json()["repositories"]
    client.delete(f"/v2/{name}/manifests/{digest}")
    assert name not in client.get("/v2/_catalog").json()["repositories"]
    assert client.get(f"/v2/{name}/tags/list").json()["tags"] == []


def _referrer(subject: str, size: int, kind: str, **more: object) -> bytes:
    described = {"mediaType": OCI_MANIFEST, "digest": subject, "size": size}
    return manifest_of(b"{}", subject=described, artifactType=kind, **more)


def test_referrers(client: httpx2.Client, name: str) -> None:
    subject = push_image(client, name, "v1", b"layer")
    push_blob(client, name, b"{}")
    path = f"/v2/{name}/referrers/{subject}"
    empty = client.get(path)
    assert (empty.status_code, empty.headers["content-type"]) == (200, OCI_INDEX)
    assert empty.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}

    bills = _referrer(subject, 1, "application/spdx+json", annotations={"made": "today"})
    plain = manifest_of(b"{}", subject={"mediaType": OCI_MANIFEST, "digest": subject, "size": 1})
    for data in (bills, plain):
        answer = put_manifest(client, name, sha256(data), data)
        assert (answer.status_code, answer.headers["oci-subject"]) == (201, subject)

    found = {each["digest"]: each for each in client.get(path).json()["manifests"]}
    assert found == {
        sha256(bills): {
            "mediaType": OCI_MANIFEST,
            "digest": sha256(bills),
            "size": len(bills),
            "artifactType": "application/spdx+json",
            "annotations": {"made": "today"},
        },
        sha256(plain): {
            "mediaType": OCI_MANIFEST,
            "digest": sha256(plain),
            "size": len(plain),
            "artifactType": OCI_CONFIG,
        },
    }
    answer = client.get(path, params={"artifactType": "application/spdx+json"})
    assert [each["digest"] for each in answer.json()["manifests"]] == [sha256(bills)]
    assert answer.headers["oci-filters-applied"] == "artifactType"
    answer = client.get(path, params={"artifactType": "application/none"})
    assert answer.json()["manifests"] == []
    client.delete(f"/v2/{name}/manifests/{sha256(bills)}")
    assert [each["digest"] for each in client.get(path).json()["manifests"]] == [sha256(plain)]


def test_referrers_of_what_is_not_there_yet(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    subject = sha256(b"not pushed yet")
    index = _index(subject={"mediaType": OCI_INDEX, "digest": subject, "size": 14})
    assert put_manifest(client, name, "list", index, OCI_INDEX).headers["oci-subject"] == subject
    (found,) = client.get(f"/v2/{name}/referrers/{subject}").json()["manifests"]
    assert (found["mediaType"], found["digest"]) == (OCI_INDEX, sha256(index))
    assert "artifactType" not in found
    assert client.get(f"/v2/{name}-other/referrers/{subject}").json()["manifests"] == []


def test_referrers_of_what_is_no_digest(client: httpx2.Client, name: str) -> None:
    answer = client.get(f"/v2/{name}/referrers/latest")
    assert (answer.status_code, error_code(answer)) == (400, "DIGEST_INVALID")
