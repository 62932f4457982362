"""Clients that mean harm get an answer in the registry's shape, and nobody else notices them."""

from __future__ import annotations

import json
import socket

import httpx2
import pytest

from registry_server import OCI_CONFIG, OCI_MANIFEST, Served, error_code, push_blob, sha256

_SUBJECT = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{'a' * 64}", "size": 2}
_MANY_DIGITS = "9" * 5000  # more than Python makes a number of


def _put_manifest(client: httpx2.Client, name: str, **fields: object) -> httpx2.Response:
    config = {"mediaType": OCI_CONFIG, "digest": push_blob(client, name, b"{}"), "size": 2}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    data = json.dumps({**document, **fields}).encode()
    return client.put(f"/v2/{name}/manifests/x", content=data)


@pytest.mark.parametrize("text", [f"bytes=0-{_MANY_DIGITS}", "bytes=\u00b2-", f"bytes={'1' * 30}-"])
def test_a_range_that_is_no_number_is_passed_over(
    client: httpx2.Client, name: str, text: str
) -> None:
    digest = push_blob(client, name, b"blob")
    answer = client.get(f"/v2/{name}/blobs/{digest}", headers={b"Range": text.encode("latin-1")})
    assert (answer.status_code, answer.content) == (200, b"blob")


@pytest.mark.parametrize("text", [f"0-{_MANY_DIGITS}", "\u00b2-\u00b3", "0-", "x"])
def test_a_content_range_that_is_no_number_is_refused(
    client: httpx2.Client, name: str, text: str
) -> None:
    place = client.post(f"/v2/{name}/blobs/uploads/").headers["location"]
    answer = client.patch(place, content=b"x", headers={b"Content-Range": text.encode("latin-1")})
    assert (answer.status_code, error_code(answer)) == (400, "BLOB_UPLOAD_INVALID")
    assert client.get(place).headers["range"] == "0-0"


@pytest.mark.parametrize(
    "path",
    [
        f"/v2/{{name}}/blobs/uploads/{'%F0%90%90%80' * 64}",
        f"/jobs/{_MANY_DIGITS}",
        f"/jobs/{_MANY_DIGITS}/log",
        "/jobs/\u00b2",
        f"/packages/{'a' * 300}.sources",
        f"/packages/{'a' * 300}",
        "/packages/%00.sources",
        "/packages/..%2f..%2fetc%2fpasswd",
    ],
)
def test_names_that_nothing_can_have_are_not_found(
    client: httpx2.Client, name: str, path: str
) -> None:
    assert client.get(path.format(name=name)).status_code == 404


def test_a_stream_from_a_byte_that_is_no_number_starts_anew(client: httpx2.Client) -> None:
    answer = client.get(f"/jobs/1/events?from={_MANY_DIGITS}")
    assert answer.status_code == 200
    assert "event: end" in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"annotations": {"half": "\ud800"}},
        {"annotations": {"\ud800": "half"}},
        {"annotations": {"no text": {"a": 1}}},
        {"annotations": {"no number": float("nan")}},
        {"artifactType": {"a": 1}},
        {"artifactType": "\udfff"},
    ],
)
def test_what_lists_of_referrers_could_not_tell_is_not_taken(
    client: httpx2.Client, name: str, fields: dict[str, object]
) -> None:
    answer = _put_manifest(client, name, subject=_SUBJECT, **fields)
    assert (answer.status_code, error_code(answer)) == (400, "MANIFEST_INVALID")
    listed = client.get(f"/v2/{name}/referrers/{_SUBJECT['digest']}")
    assert listed.json()["manifests"] == []


def test_a_repository_called_like_a_list_of_referrers_is_none(
    client: httpx2.Client, name: str
) -> None:
    assert _put_manifest(client, name, subject=_SUBJECT).status_code == 201
    inner = f"{name}/referrers/{str(_SUBJECT['digest']).replace(':', '-')}"
    assert _put_manifest(client, inner, subject=_SUBJECT).status_code == 201
    listed = client.get(f"/v2/{name}/referrers/{_SUBJECT['digest']}")
    assert len(listed.json()["manifests"]) == 1


def test_pages_of_the_web_change_nothing(client: httpx2.Client, name: str) -> None:
    digest = push_blob(client, name, b"mine")
    there = {"Origin": "http://elsewhere.example", "Content-Type": "text/plain"}
    for method, path in (
        ("POST", f"/v2/{name}/blobs/uploads/?digest={sha256(b'theirs')}"),
        ("DELETE", f"/v2/{name}/blobs/{digest}"),
    ):
        answer = client.request(method, path, content=b"theirs", headers=there)
        assert (answer.status_code, error_code(answer)) == (403, "DENIED")
    assert client.get(f"/v2/{name}/blobs/{digest}").content == b"mine"


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: ",
        b"POST /v2/push/a/blobs/uploads/?digest=x HTTP/1.1\r\nHost: x\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ],
)
def test_headers_without_end_are_not_collected(registry: Served, begin: bytes) -> None:
    host, _, port = registry.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(begin)
        endless = bytes(64 << 20)
        with pytest.raises(ConnectionError):
            connection.sendall(endless.replace(b"\0", b"a"))
