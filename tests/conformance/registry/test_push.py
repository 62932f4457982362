"""OCI distribution specification 1.1, "Push": blobs."""

from __future__ import annotations

import os

import httpx2
import pytest

from registry_server import Served, error_code, push_blob, sha256, sha512

_BLOB = os.urandom(3 << 20)


def _begin(client: httpx2.Client, name: str) -> str:
    begun = client.post(f"/v2/{name}/blobs/uploads/")
    assert begun.status_code == 202
    assert begun.headers["range"] == "0-0"
    return begun.headers["location"]


def _chunk(client: httpx2.Client, place: str, data: bytes, start: int) -> httpx2.Response:
    said = {
        "Content-Range": f"{start}-{start + len(data) - 1}",
        "Content-Type": "application/octet-stream",
    }
    return client.patch(place, content=data, headers=said)


def _there(client: httpx2.Client, name: str, data: bytes, digest: str) -> None:
    answer = client.get(f"/v2/{name}/blobs/{digest}")
    assert (answer.status_code, answer.content == data) == (200, True)


def _gone(client: httpx2.Client, place: str) -> None:
    answer = client.get(place)
    assert (answer.status_code, error_code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("sums", [sha256, sha512])
def test_in_one_request(client: httpx2.Client, name: str, sums: object) -> None:
    digest = sums(_BLOB)  # type: ignore[operator]
    answer = client.post(f"/v2/{name}/blobs/uploads/", params={"digest": digest}, content=_BLOB)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/{name}/blobs/{digest}"
    assert answer.headers["docker-content-digest"] == digest
    _there(client, name, _BLOB, digest)


@pytest.mark.parametrize("sums", [sha256, sha512])
def test_in_two_requests(client: httpx2.Client, name: str, sums: object) -> None:
    digest = sums(_BLOB)  # type: ignore[operator]
    place = _begin(client, name)
    answer = client.put(place, params={"digest": digest}, content=_BLOB)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/{name}/blobs/{digest}"
    _there(client, name, _BLOB, digest)
    _gone(client, place)


@pytest.mark.parametrize("with_last", [True, False])
def test_in_chunks(client: httpx2.Client, name: str, with_last: bool) -> None:
    place, position = _begin(client, name), 0
    sizes = [1, 70_000, 1 << 20, len(_BLOB)]
    for size in sizes[: -1 if with_last else None]:
        piece = _BLOB[position : position + size]
        answer = _chunk(client, place, piece, position)
        position += len(piece)
        assert answer.status_code == 202
        assert answer.headers["range"] == f"0-{position - 1}"
        place = answer.headers["location"]
    said = {"Content-Range": f"{position}-{len(_BLOB) - 1}"} if with_last else {}
    params = {"digest": sha256(_BLOB)}
    answer = client.put(place, params=params, content=_BLOB[position:], headers=said)
    assert answer.status_code == 201, answer.text
    _there(client, name, _BLOB, sha256(_BLOB))


def test_as_a_stream_of_unknown_length(client: httpx2.Client, name: str) -> None:
    """What Docker does: one PATCH without a range, with chunked transfer encoding."""
    place = _begin(client, name)
    pieces = (_BLOB[start : start + 100_000] for start in range(0, len(_BLOB), 100_000))
    answer = client.patch(place, content=pieces)
    assert answer.status_code == 202
    assert answer.headers["range"] == f"0-{len(_BLOB) - 1}"
    answer = client.put(answer.headers["location"], params={"digest": sha256(_BLOB)})
    assert answer.status_code == 201
    _there(client, name, _BLOB, sha256(_BLOB))


def test_chunks_out_of_order(client: httpx2.Client, name: str) -> None:
    place = _begin(client, name)
    assert _chunk(client, place, b"01234", 0).status_code == 202
    for start in (0, 3, 6):
        answer = _chunk(client, place, b"56789", start)
        assert answer.status_code == 416
        assert answer.headers["range"] == "0-4"
        assert answer.headers["location"] == place
    assert _chunk(client, place, b"56789", 5).status_code == 202
    said = {"Content-Range": "3-5"}
    digest = sha256(b"0123456789")
    answer = client.put(place, params={"digest": digest}, content=b"xyz", headers=said)
    assert answer.status_code == 416
    assert client.put(place, params={"digest": digest}).status_code == 201
    _there(client, name, b"0123456789", digest)


def test_a_chunk_that_is_not_as_long_as_it_says(client: httpx2.Client, name: str) -> None:
    place = _begin(client, name)
    answer = client.patch(place, content=b"0123", headers={"Content-Range": "0-9"})
    assert (answer.status_code, error_code(answer)) == (400, "SIZE_INVALID")
    assert client.get(place).headers["range"] == "0-0"
    assert _chunk(client, place, b"0123456789", 0).status_code == 202
    answer = client.patch(place, content=b"x", headers={"Content-Range": "ten-"})
    assert (answer.status_code, error_code(answer)) == (400, "BLOB_UPLOAD_INVALID")
    assert client.put(place, params={"digest": sha256(b"0123456789")}).status_code == 201


def test_how_far_an_upload_got(client: httpx2.Client, name: str) -> None:
    place = _begin(client, name)
    _chunk(client, place, b"01234", 0)
    answer = client.get(place)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["range"] == "0-4"
    assert answer.headers["location"] == place
    assert answer.headers["docker-upload-uuid"] in place


def test_an_upload_that_is_given_up(client: httpx2.Client, name: str) -> None:
    place = _begin(client, name)
    _chunk(client, place, b"01234", 0)
    assert client.delete(place).status_code == 204
    _gone(client, place)
    answer = client.delete(place)
    assert (answer.status_code, error_code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("upload", ["0123", "no-such-thing", "..", "x" * 300])
def test_an_upload_that_never_was(client: httpx2.Client, name: str, upload: str) -> None:
    place = f"/v2/{name}/blobs/uploads/{upload.replace('..', '%2e%2e')}"
    for answer in (
        client.get(place),
        client.patch(place, content=b"x"),
        client.put(place, params={"digest": sha256(b"x")}, content=b"x"),
        client.delete(place),
    ):
        assert (answer.status_code, error_code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_of_another_repository(client: httpx2.Client, name: str) -> None:
    place = _begin(client, name)
    _gone(client, place.replace(name, f"{name}-other"))
    assert client.get(place).status_code == 204


@pytest.mark.parametrize("how", ["one", "two", "chunks"])
@pytest.mark.parametrize("sums", [sha256, sha512])
def test_a_wrong_digest(
    client: httpx2.Client, name: str, registry: Served, how: str, sums: object
) -> None:
    said = sums(b"what the client says")  # type: ignore[operator]
    data, params = b"what it sends" * 10, {"digest": said}
    scratch = registry.log.parent / "images" / "scratch"
    before = set(scratch.iterdir())
    if how == "one":
        answer = client.post(f"/v2/{name}/blobs/uploads/", params=params, content=data)
    else:
        place = _begin(client, name)
        if how == "chunks":
            assert _chunk(client, place, data, 0).status_code == 202
        answer = client.put(place, params=params, content=data if how == "two" else b"")
        _gone(client, place)
    assert (answer.status_code, error_code(answer)) == (400, "DIGEST_INVALID")
    assert answer.json()["errors"][0]["detail"]["digest"] == sums(data)  # type: ignore[operator]
    assert set(scratch.iterdir()) == before
    for digest in (said, sums(data)):  # type: ignore[operator]
        assert client.head(f"/v2/{name}/blobs/{digest}").status_code == 404


def test_no_digest_at_all(client: httpx2.Client, name: str) -> None:
    place = _begin(client, name)
    answer = client.put(place, content=b"x")
    assert (answer.status_code, error_code(answer)) == (400, "DIGEST_INVALID")


def test_a_mount(client: httpx2.Client, name: str) -> None:
    digest, other = push_blob(client, name, _BLOB), f"{name}-other"
    params = {"mount": digest, "from": name}
    answer = client.post(f"/v2/{other}/blobs/uploads/", params=params)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/{other}/blobs/{digest}"
    _there(client, other, _BLOB, digest)
    answer = client.post(f"/v2/{other}-more/blobs/uploads/", params={"mount": digest})
    assert answer.status_code == 201
    _there(client, f"{other}-more", _BLOB, digest)


def test_a_mount_of_what_is_not_there(client: httpx2.Client, name: str) -> None:
    nothing = sha256(b"nothing at all")
    for params in (
        {"mount": nothing, "from": name},
        {"mount": nothing, "from": "Not/A//Name"},
        {"mount": nothing},
    ):
        answer = client.post(f"/v2/{name}/blobs/uploads/", params=params)
        assert answer.status_code == 202
        assert client.get(answer.headers["location"]).status_code == 204


def test_a_mount_and_a_removal(client: httpx2.Client, name: str) -> None:
    digest, other = push_blob(client, name, _BLOB), f"{name}-other"
    client.post(f"/v2/{other}/blobs/uploads/", params={"mount": digest, "from": name})
    assert client.delete(f"/v2/{name}/blobs/{digest}").status_code == 202
    assert client.head(f"/v2/{name}/blobs/{digest}").status_code == 404
    _there(client, other, _BLOB, digest)
    answer = client.delete(f"/v2/{name}/blobs/{digest}")
    assert (answer.status_code, error_code(answer)) == (404, "BLOB_UNKNOWN")


def test_pushed_twice(client: httpx2.Client, name: str) -> None:
    assert push_blob(client, name, _BLOB) == push_blob(client, name, _BLOB)
    _there(client, name, _BLOB, sha256(_BLOB))


def test_made_names_take_no_pushes(client: httpx2.Client) -> None:
    for name in ("hello", "shell/git", "pushed/x"):
        digest = sha256(b"x")
        for answer in (
            client.post(f"/v2/{name}/blobs/uploads/"),
            client.put(f"/v2/{name}/manifests/v1", content=b"{}"),
            client.delete(f"/v2/{name}/manifests/{digest}"),
            client.delete(f"/v2/{name}/blobs/{digest}"),
        ):
            assert (answer.status_code, error_code(answer)) == (403, "DENIED")
            assert "push/" in answer.json()["errors"][0]["message"]
