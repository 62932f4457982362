"""OCI distribution specification 1.1, "Content Discovery": lists and their pages."""

from __future__ import annotations

import re

import httpx2
import pytest

from registry_server import error_code, manifest_of, push_blob, push_image, put_manifest

_TAGS = ["A", "a", "B", "b0", "latest", "v1", "v1.0", "v10", "v2"]


def _tagged(client: httpx2.Client, name: str) -> None:
    push_blob(client, name, b"{}")
    for tag in reversed(_TAGS):
        assert put_manifest(client, name, tag, manifest_of(b"{}")).status_code == 201


def _next(answer: httpx2.Response) -> str | None:
    link = answer.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<(.+)>; rel="next"', link)
    assert found is not None, link
    return found[1]


def test_tags_are_sorted(client: httpx2.Client, name: str) -> None:
    _tagged(client, name)
    answer = client.get(f"/v2/{name}/tags/list")
    assert answer.json() == {"name": name, "tags": _TAGS}
    assert "link" not in answer.headers


@pytest.mark.parametrize("count", [1, 2, 4, 8, 9, 10])
def test_pages_of_tags(client: httpx2.Client, name: str, count: int) -> None:
    _tagged(client, name)
    place: str | None = f"/v2/{name}/tags/list?n={count}"
    pages = []
    while place is not None:
        answer = client.get(place)
        pages.append(answer.json()["tags"])
        place = _next(answer)
    assert [tag for page in pages for tag in page] == _TAGS
    assert all(len(page) == count for page in pages[:-1])
    assert 0 < len(pages[-1]) <= count


def test_tags_after_one(client: httpx2.Client, name: str) -> None:
    _tagged(client, name)
    for last, expected in (("v1", _TAGS[6:]), ("zz", []), ("b", _TAGS[3:]), ("v2", [])):
        answer = client.get(f"/v2/{name}/tags/list", params={"last": last})
        assert answer.json()["tags"] == expected, last
    answer = client.get(f"/v2/{name}/tags/list", params={"n": 2, "last": "a"})
    assert answer.json()["tags"] == _TAGS[2:4]


def test_none_of_the_tags(client: httpx2.Client, name: str) -> None:
    _tagged(client, name)
    answer = client.get(f"/v2/{name}/tags/list?n=0")
    assert (answer.status_code, answer.json()["tags"]) == (200, [])
    assert "link" not in answer.headers


@pytest.mark.parametrize("count", ["-1", "x", "1.5", "", "9" * 30, "\u0661"])
def test_what_is_no_number(client: httpx2.Client, name: str, count: str) -> None:
    _tagged(client, name)
    for path in (f"/v2/{name}/tags/list", "/v2/_catalog"):
        answer = client.get(path, params={"n": count})
        assert (answer.status_code, error_code(answer)) == (400, "PAGINATION_NUMBER_INVALID")


def test_the_catalogue(client: httpx2.Client, name: str) -> None:
    names = [f"{name}/{word}" for word in ("a", "a/b", "c")]
    for each in names:
        push_image(client, each, "v1")
    answer = client.get("/v2/_catalog", params={"last": name, "n": 2})
    assert answer.json()["repositories"] == names[:2]
    following = _next(answer)
    assert following is not None
    assert client.get(following).json()["repositories"][0] == names[2]
    everything = client.get("/v2/_catalog").json()["repositories"]
    assert set(names) <= set(everything)
    assert everything == sorted(everything)
