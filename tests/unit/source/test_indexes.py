"""PyPI's simple index and npm's registry, found by the clients' own settings."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import ChecksumError, FetchError
from lapstrake.names import Digest
from lapstrake.source.cache import DownloadCache
from lapstrake.source.fetch import fetch_all
from lapstrake.source.index_file import IndexFile
from lapstrake.source.job import Fetched
from lapstrake.source.npm import parse_dist
from lapstrake.source.pypi import choose_file, normalised, parse_index
from lapstrake.source.rules import FetchRules, Rewrite
from lapstrake.source.spec import SourceKind, SourceSpec
from webserver import Request, Site, fail, serve

BODY = os.urandom(5000)
SUM = hashlib.sha256(BODY).hexdigest()
needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="the program npm is missing")
needs_pip = pytest.mark.skipif(
    not (shutil.which("pip3") or shutil.which("pip")), reason="the program pip is missing"
)


def spec(kind: SourceKind, name: str, version: str, digest: Digest | None = None) -> SourceSpec:
    return SourceSpec(
        kind=kind, url=name, revision=version, name="1.bin", digest=digest, origin="spec:2"
    )


def html(*links: str) -> bytes:
    return "<!DOCTYPE html><body>{}</body>".format("".join(links)).encode()


def test_names_are_normalised() -> None:
    assert normalised("Foo.Bar__baz") == "foo-bar-baz"


@given(st.text(max_size=200), st.sampled_from(["text/html", ""]))
def test_any_html_is_read(page: str, content_type: str) -> None:
    for file in parse_index(page.encode("utf-8", "replace"), content_type, "https://i.org/a/"):
        assert file.url


def test_html_links_are_relative_and_quoted() -> None:
    page = html('<a href="../../f/A%2Bb-1.tar.gz#sha256=ab12">x</a>', "<a>no link</a>")
    (file,) = parse_index(page, "text/html; charset=utf-8", "https://i.org/simple/a/")
    assert file == IndexFile(
        name="A+b-1.tar.gz", url="https://i.org/f/A%2Bb-1.tar.gz", digest=Digest("sha256", "ab12")
    )


def test_json() -> None:
    page = json.dumps(
        {"files": [{"filename": "a-1.tar.gz", "url": "x/a-1.tar.gz", "hashes": {"sha256": "AB"}}]}
    ).encode()
    (file,) = parse_index(page, "application/vnd.pypi.simple.v1+json", "https://i.org/a/")
    assert (file.url, file.digest) == ("https://i.org/a/x/a-1.tar.gz", Digest("sha256", "ab"))
    for bad in (b"", b"[]", b'{"files": [{}]}', b'{"files": 3}'):
        with pytest.raises(FetchError, match="no simple index"):
            parse_index(bad, "application/json", "https://i.org/a/")


def test_choosing() -> None:
    names = ("Foo_Bar-1.0.zip", "foo-bar-1.0.tar.gz", "foo_bar-1.0-py3-none-any.whl",
             "foo-bar-1.0.1.tar.gz")  # fmt: skip
    files = tuple(IndexFile(name=n, url=n, digest=Digest("sha256", n)) for n in names)
    chosen = choose_file(files, "Foo.Bar", "1.0", None)
    assert chosen is not None
    assert chosen.name == "foo-bar-1.0.tar.gz"
    assert choose_file(files, "foo-bar", "1.0", Digest("sha256", names[0])) == files[0]
    assert choose_file(files[2:], "foo-bar", "1.0", None) is None


@pytest.fixture
def index(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An index with one project; its settings come from pip's environment."""
    link = f'<a href="/files/Hello_World-1.0.tar.gz#sha256={SUM}">x</a>'
    site.put("/simple/hello-world/", serve(html(link)))
    site.put("/files/Hello_World-1.0.tar.gz", serve(BODY))
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{site.url}/other")
    return site


def test_pypi(index: Site, cache: DownloadCache, rules: FetchRules) -> None:
    wanted = spec(SourceKind.PYPI, "Hello.World", "1.0", Digest("sha256", SUM))
    fetched = fetch_all([wanted], cache=cache, rules=rules)[0]
    assert fetched.path.read_bytes() == BODY
    assert fetched.url == f"{index.url}/files/Hello_World-1.0.tar.gz"
    index.requests.clear()
    assert fetch_all([wanted], cache=cache, rules=rules)[0].from_cache
    assert not index.requests


def test_pypi_by_the_index_s_own_sum(index: Site, cache: DownloadCache, rules: FetchRules) -> None:
    wanted = spec(SourceKind.PYPI, "hello-world", "1.0")
    index.put("/files/Hello_World-1.0.tar.gz", serve(b"forged"))
    with pytest.raises(ChecksumError):
        fetch_all([wanted], cache=cache, rules=rules)
    index.put("/files/Hello_World-1.0.tar.gz", serve(BODY))
    assert fetch_all([wanted], cache=cache, rules=rules)[0].digest == Digest("sha256", SUM)
    assert fetch_all([wanted], cache=cache, rules=rules)[0].from_cache


def test_pypi_versions_that_are_not_there(
    index: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    with pytest.raises(FetchError, match="no index has a source archive") as caught:
        fetch_all([spec(SourceKind.PYPI, "hello-world", "2.0")], cache=cache, rules=rules)
    assert "Hello_World-1.0.tar.gz" in caught.value.details
    assert "/other/hello-world/: status 404" in caught.value.details


def test_an_index_cannot_name_files_of_this_host(
    index: Site, cache: DownloadCache, rules: FetchRules, tmp_path: Path
) -> None:
    (tmp_path / "hello-world-1.0.zip").write_bytes(BODY)
    link = f'<a href="{(tmp_path / "hello-world-1.0.zip").as_uri()}">x</a>'
    index.put("/simple/hello-world/", serve(html(link)))
    with pytest.raises(FetchError, match="no index has a source archive"):
        fetch_all([spec(SourceKind.PYPI, "hello-world", "1.0")], cache=cache, rules=rules)


def test_pypi_index_that_falters(index: Site, cache: DownloadCache, rules: FetchRules) -> None:
    page = index.answers["/simple/hello-world/"][0]
    index.put("/simple/hello-world/", fail(503), page)
    wanted = spec(SourceKind.PYPI, "hello-world", "1.0")
    assert fetch_all([wanted], cache=cache, rules=rules)[0].size == len(BODY)


def test_pypi_mirror(index: Site, cache: DownloadCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/simple")
    rules = FetchRules(
        rewrites=(Rewrite(prefix="https://example.org", to=(index.url,)),), retries=0
    )
    wanted = spec(SourceKind.PYPI, "hello-world", "1.0")
    assert fetch_all([wanted], cache=cache, rules=rules)[0].size == len(BODY)


@needs_pip
def test_index_from_pip_s_configuration(
    tmp_path: Path, cache: DownloadCache, rules: FetchRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index may also be a folder."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    page = tmp_path / "simple" / "hello" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_bytes(html(f'<a href="../../hello-1.0.zip#sha256={SUM}">x</a>'))
    (tmp_path / "hello-1.0.zip").write_bytes(BODY)
    uri = (tmp_path / "simple").as_uri()
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {uri}\nextra-index-url = {uri}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    fetched = fetch_all([spec(SourceKind.PYPI, "hello", "1.0")], cache=cache, rules=rules)[0]
    assert fetched.path.read_bytes() == BODY


def test_dist_of_npm() -> None:
    raw = hashlib.sha512(BODY).digest()
    integrity = f"sha1-AAAA sha512-{base64.b64encode(raw).decode()}"
    answer = json.dumps({"tarball": "https://r.org/a/-/a-1.tgz", "integrity": integrity}).encode()
    file = parse_dist(answer, "a", "1")
    assert (file.name, file.digest) == ("a-1.tgz", Digest("sha512", raw.hex()))
    for bad in (b"", b"[]", b"{}", b'"text"', b"null", b'{"tarball": "file:///etc/passwd"}'):
        with pytest.raises(FetchError, match="no archive of a 1"):
            parse_dist(bad, "a", "1")


@needs_npm
def test_npm(
    site: Site, cache: DownloadCache, rules: FetchRules, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(BODY).digest()).decode()
    dist = {"tarball": f"{site.url}/hello/-/hello-1.0.0.tgz", "integrity": integrity}
    document = {
        "name": "hello", "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": {"name": "hello", "version": "1.0.0", "dist": dist}},
    }  # fmt: skip
    site.put("/hello", serve(json.dumps(document).encode(), Content_Type="application/json"))
    site.put("/hello/-/hello-1.0.0.tgz", serve(BODY))
    monkeypatch.setenv("npm_config_registry", site.url)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    fetched = fetch_all([spec(SourceKind.NPM, "hello", "1.0.0")], cache=cache, rules=rules)[0]
    assert fetched.path.read_bytes() == BODY
    offline = FetchRules(offline=True)
    known = spec(SourceKind.NPM, "hello", "1.0.0", Digest("sha256", SUM))
    assert fetch_all([known], cache=cache, rules=offline)[0].from_cache
    for version in ("9.9.9", "--help"):
        with pytest.raises(FetchError, match=r"spec:2|hello 9\.9\.9"):
            fetch_all([spec(SourceKind.NPM, "hello", version)], cache=cache, rules=rules)


def really(wanted: SourceSpec, cache: DownloadCache) -> Fetched:
    """Fetch from the real index; without one, the test is skipped with what was said."""
    try:
        return fetch_all([wanted], cache=cache, rules=FetchRules(retries=1, timeout=20.0))[0]
    except ChecksumError:
        raise
    except FetchError as refused:
        pytest.skip(f"the index cannot be reached: {refused}")


@needs_pip
def test_a_real_package_of_pypi(cache: DownloadCache) -> None:
    digest = Digest("sha256", "1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926")
    fetched = really(spec(SourceKind.PYPI, "six", "1.16.0", digest), cache)
    assert fetched.url.endswith("six-1.16.0.tar.gz")


@needs_npm
def test_a_real_package_of_npm(cache: DownloadCache) -> None:
    fetched = really(spec(SourceKind.NPM, "is-number", "7.0.0"), cache)
    assert fetched.url.endswith("is-number-7.0.0.tgz")


def test_requests_say_who_we_are(index: Site, cache: DownloadCache, rules: FetchRules) -> None:
    seen: list[str] = []

    def answer(request: Request) -> None:
        seen.append(request.headers["User-Agent"])
        request.reply(BODY)

    index.put("/files/Hello_World-1.0.tar.gz", answer)
    fetch_all([spec(SourceKind.PYPI, "hello-world", "1.0")], cache=cache, rules=rules)
    assert seen[0].startswith("lapstrake/")
