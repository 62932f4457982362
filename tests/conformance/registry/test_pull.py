"""OCI distribution specification 1.1, "Pull"."""

from __future__ import annotations

import httpx2
import pytest

from registry_server import (
    OCI_MANIFEST,
    error_code,
    manifest_of,
    push_blob,
    push_image,
    put_manifest,
    sha256,
)

_BLOB = bytes(range(256)) * 40


def test_there_is_a_registry(client: httpx2.Client) -> None:
    for path in ("/v2/", "/v2"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_a_manifest_by_tag_and_by_digest(client: httpx2.Client, name: str) -> None:
    digest = push_image(client, name, "v1", _BLOB)
    for reference in ("v1", digest):
        answer = client.get(f"/v2/{name}/manifests/{reference}")
        assert answer.status_code == 200
        assert sha256(answer.content) == digest
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["content-type"] == OCI_MANIFEST
        head = client.head(f"/v2/{name}/manifests/{reference}")
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == str(len(answer.content))
        assert head.headers["docker-content-digest"] == digest


def test_a_blob(client: httpx2.Client, name: str) -> None:
    digest = push_blob(client, name, _BLOB)
    answer = client.get(f"/v2/{name}/blobs/{digest}")
    assert answer.status_code == 200
    assert answer.content == _BLOB
    assert answer.headers["docker-content-digest"] == digest
    head = client.head(f"/v2/{name}/blobs/{digest}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(_BLOB))


def test_an_empty_blob(client: httpx2.Client, name: str) -> None:
    digest = push_blob(client, name, b"")
    answer = client.get(f"/v2/{name}/blobs/{digest}")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "said, expected",
    [
        ("bytes=0-0", _BLOB[:1]),
        ("bytes=10-19", _BLOB[10:20]),
        ("bytes=10000-", _BLOB[10000:]),
        ("bytes=-5", _BLOB[-5:]),
        ("bytes=-99999999", _BLOB),
        ("bytes=5-99999999", _BLOB[5:]),
    ],
)
def test_a_range(client: httpx2.Client, name: str, said: str, expected: bytes) -> None:
    digest = push_blob(client, name, _BLOB)
    answer = client.get(f"/v2/{name}/blobs/{digest}", headers={"Range": said})
    assert (answer.status_code, answer.content) == (206, expected)
    start = 10000 if said == "bytes=10000-" else _BLOB.index(expected)
    end = start + len(expected) - 1
    assert answer.headers["content-range"].endswith(f"/{len(_BLOB)}")
    assert answer.headers["content-length"] == str(len(expected))
    if said[6] != "-":
        assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(_BLOB)}"


@pytest.mark.parametrize("said", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_that_is_not_there(client: httpx2.Client, name: str, said: str) -> None:
    digest = push_blob(client, name, _BLOB)
    answer = client.get(f"/v2/{name}/blobs/{digest}", headers={"Range": said})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(_BLOB)}"


@pytest.mark.parametrize(
    "said", ["bytes=a-b", "lines=1-2", "bytes=5-4", "bytes=-", "bytes=0-1,4-5"]
)
def test_what_is_no_range_gets_everything(client: httpx2.Client, name: str, said: str) -> None:
    digest = push_blob(client, name, _BLOB)
    answer = client.get(f"/v2/{name}/blobs/{digest}", headers={"Range": said})
    assert (answer.status_code, answer.content) == (200, _BLOB)


def test_a_range_of_something_else(client: httpx2.Client, name: str) -> None:
    digest = push_blob(client, name, _BLOB)
    path = f"/v2/{name}/blobs/{digest}"
    same = client.get(path, headers={"Range": "bytes=0-1", "If-Range": f'"{digest}"'})
    other = client.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_what_the_client_has_is_not_sent(client: httpx2.Client, name: str, kind: str) -> None:
    manifest = push_image(client, name, "v1", _BLOB)
    path = f"/v2/{name}/{kind}/{manifest if kind == 'manifests' else sha256(_BLOB)}"
    etag = client.get(path).headers["etag"]
    for said in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        answer = client.get(path, headers={"If-None-Match": said})
        assert (answer.status_code, answer.content) == (304, b""), said
        assert answer.headers["etag"] == etag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_is_unknown(client: httpx2.Client, name: str) -> None:
    nothing = sha256(b"nothing")
    for reference in ("v1", nothing):
        answer = client.get(f"/v2/{name}/manifests/{reference}")
        assert (answer.status_code, error_code(answer)) == (404, "MANIFEST_UNKNOWN")
        assert client.head(f"/v2/{name}/manifests/{reference}").status_code == 404
    answer = client.get(f"/v2/{name}/blobs/{nothing}")
    assert (answer.status_code, error_code(answer)) == (404, "BLOB_UNKNOWN")
    answer = client.get(f"/v2/{name}/tags/list")
    assert (answer.status_code, error_code(answer)) == (404, "NAME_UNKNOWN")


def test_a_blob_of_another_repository_is_unknown(client: httpx2.Client, name: str) -> None:
    digest = push_blob(client, name, b"private to its repository")
    answer = client.get(f"/v2/{name}-other/blobs/{digest}")
    assert (answer.status_code, error_code(answer)) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize(
    "wrong",
    [
        "push/" + "x" * 251,
        "push/Upper",
        "push//x",
        "push/-x",
        "push/x-",
        "push/a..b",
        "push/%2e%2e/x",
        "push/x_-y",
        "P",
        "push/a b",
        "push/ü",
    ],
)
def test_names_obey_the_grammar(client: httpx2.Client, wrong: str) -> None:
    for path in (f"/v2/{wrong}/manifests/v1", f"/v2/{wrong}/tags/list"):
        answer = client.get(path)
        assert (answer.status_code, error_code(answer)) == (400, "NAME_INVALID"), path
    answer = client.post(f"/v2/{wrong}/blobs/uploads/")
    assert (answer.status_code, error_code(answer)) == (400, "NAME_INVALID")


@pytest.mark.parametrize("right", ["push/a", "push/a.b__c_d---e/f9/0", "push/" + "x" * 250])
def test_names_of_the_grammar(client: httpx2.Client, right: str) -> None:
    push_image(client, right, "v1")
    assert client.get(f"/v2/{right}/manifests/v1").status_code == 200


@pytest.mark.parametrize("wrong", [".x", "-x", "x" * 129, "a b"])
def test_tags_obey_the_grammar(client: httpx2.Client, name: str, wrong: str) -> None:
    answer = client.get(f"/v2/{name}/manifests/{wrong}")
    assert (answer.status_code, error_code(answer)) == (400, "TAG_INVALID")


@pytest.mark.parametrize(
    "wrong", ["sha256:abc", "sha256:" + "A" * 64, "md5:" + "0" * 32, "sha512:" + "0" * 64, ":"]
)
def test_digests_obey_the_grammar(client: httpx2.Client, name: str, wrong: str) -> None:
    for path in (f"/v2/{name}/manifests/{wrong}", f"/v2/{name}/blobs/{wrong}"):
        answer = client.get(path)
        assert (answer.status_code, error_code(answer)) == (400, "DIGEST_INVALID"), path


def test_names_that_look_like_paths_of_the_protocol(client: httpx2.Client) -> None:
    for name in ("push/blobs/uploads", "push/manifests", "push/x/tags/list", "push/referrers"):
        digest = push_image(client, name, "v1", _BLOB)
        assert client.get(f"/v2/{name}/manifests/v1").headers["docker-content-digest"] == digest
        assert client.get(f"/v2/{name}/blobs/{sha256(_BLOB)}").content == _BLOB
        assert client.get(f"/v2/{name}/tags/list").json()["tags"] == ["v1"]


def test_methods_that_are_not_allowed(client: httpx2.Client, name: str) -> None:
    digest = push_image(client, name, "v1", _BLOB)
    asked = [
        ("POST", "/v2/"),
        ("PUT", f"/v2/{name}/tags/list"),
        ("POST", f"/v2/{name}/manifests/v1"),
        ("PUT", f"/v2/{name}/blobs/{digest}"),
        ("DELETE", "/v2/_catalog"),
    ]
    for method, path in asked:
        answer = client.request(method, path)
        assert (answer.status_code, error_code(answer)) == (405, "UNSUPPORTED"), path
        assert "GET" in answer.headers["allow"]


def test_a_manifest_without_its_own_media_type(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    document = manifest_of(b"{}").replace(f'"mediaType": "{OCI_MANIFEST}", '.encode(), b"")
    assert OCI_MANIFEST.encode() not in document
    assert put_manifest(client, name, "v1", document).status_code == 201
    answer = client.get(f"/v2/{name}/manifests/{sha256(document)}")
    assert answer.headers["content-type"] == OCI_MANIFEST
