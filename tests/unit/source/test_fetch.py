"""Fetching: the cache, mirrors, resuming, retries, wrong bytes; against a real, bad server."""

from __future__ import annotations

import hashlib
import os
import socketserver
import threading
from pathlib import Path
from typing import Any

import pytest

from lapstrake.errors import ChecksumError, FetchError, LapstrakeError
from lapstrake.names import Digest
from lapstrake.source.cache import DownloadCache
from lapstrake.source.fetch import fetch_all
from lapstrake.source.job import Fetched, FetchEvent, Stage
from lapstrake.source.rules import FetchRules, Rewrite
from lapstrake.source.spec import SourceKind, SourceSpec
from webserver import Site, cut, fail, resumable, serve

BODY = os.urandom(300_000)


def sha256(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def archive(url: str, body: bytes = BODY, **more: Any) -> SourceSpec:
    facts: dict[str, Any] = {
        "kind": SourceKind.ARCHIVE, "url": url, "name": "1.0.bin", "digest": sha256(body),
        "origin": "spec:2",
    }  # fmt: skip
    return SourceSpec(**(facts | more))


def with_rules(rules: FetchRules, **more: Any) -> FetchRules:
    from dataclasses import replace

    return replace(rules, **more)


def one(spec: SourceSpec, cache: DownloadCache, rules: FetchRules, **more: Any) -> Fetched:
    return fetch_all([spec], cache=cache, rules=rules, **more)[0]


def leftovers(cache: DownloadCache) -> list[str]:
    """What a finished fetch must not leave behind."""
    return [
        str(path) for folder in ("partial", "scratch") for path in (cache.root / folder).glob("*")
    ]


def test_fetched_once_then_from_the_cache(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    spec = archive(site.put("/a", serve(BODY)))
    first = one(spec, cache, rules)
    assert first.path.read_bytes() == BODY
    assert (first.digest, first.size, first.from_cache) == (sha256(BODY), len(BODY), False)
    again = one(spec, cache, with_rules(rules, offline=True))
    assert (again.from_cache, again.path) == (True, first.path)
    assert len(site.requests) == 1
    assert not leftovers(cache)


@pytest.mark.parametrize("algorithm", ["sha512", "sha384", "sha1", "blake2b"])
def test_other_checksums(
    site: Site, cache: DownloadCache, rules: FetchRules, algorithm: str
) -> None:
    digest = Digest(algorithm, hashlib.new(algorithm, BODY).hexdigest())
    spec = archive(site.put("/a", serve(BODY)), digest=digest)
    assert not one(spec, cache, rules).from_cache
    found = one(spec, cache, rules)
    assert found.from_cache
    assert found.digest == sha256(BODY)


def test_bad_then_good_bytes(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    events: list[FetchEvent] = []
    spec = archive(site.put("/a", serve(b"forged"), serve(BODY)))
    assert one(spec, cache, rules, on_event=events.append).path.read_bytes() == BODY
    assert [event.stage for event in events].count(Stage.RETRY) == 1


def test_bad_bytes_twice_show_both_sums(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    spec = archive(site.put("/a", serve(b"forged")))
    with pytest.raises(ChecksumError) as caught:
        one(spec, cache, rules)
    assert caught.value.brief.startswith("spec:2: 1.0.bin")
    assert str(sha256(BODY)) in caught.value.details
    assert str(sha256(b"forged")) in caught.value.details
    assert len(site.requests) == 2
    assert not leftovers(cache)
    assert cache.find(sha256(b"forged")) is None


def test_a_cut_download_is_resumed(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    spec = archive(site.put("/a", cut(BODY, 100_000, ETag='"v1"'), resumable(BODY)))
    assert one(spec, cache, rules).path.read_bytes() == BODY
    assert site.requests[1][1]["Range"] == "bytes=100000-"
    assert site.requests[1][1]["If-Range"] == '"v1"'


def test_a_file_that_changed_meanwhile_is_fetched_whole(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    url = site.put("/a", cut(b"x" * len(BODY), 100_000, ETag='"old"'), resumable(BODY, '"new"'))
    assert one(archive(url), cache, rules).path.read_bytes() == BODY
    assert len(site.requests) == 2


def test_a_server_that_cannot_resume(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    spec = archive(site.put("/a", cut(BODY, 100_000), serve(BODY)))
    assert one(spec, cache, rules).path.read_bytes() == BODY


def test_resumed_by_the_next_run(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    spec = archive(site.put("/a", cut(BODY, 100_000, ETag='"v1"')))
    with pytest.raises(FetchError):
        one(spec, cache, with_rules(rules, retries=0))
    site.put("/a", resumable(BODY))
    site.requests.clear()
    assert one(spec, cache, rules).path.read_bytes() == BODY
    assert site.requests[0][1]["Range"] == "bytes=100000-"


def test_killed_between_the_last_byte_and_the_rename(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    spec = archive(site.put("/a", resumable(BODY)))
    cache.partial(spec.url, spec.digest).write_bytes(BODY)
    assert one(spec, cache, with_rules(rules, retries=0)).path.read_bytes() == BODY
    assert len(site.requests) == 1


def test_passing_errors_are_tried_again(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    spec = archive(site.put("/a", fail(503), fail(500), serve(BODY)))
    assert one(spec, cache, rules).path.read_bytes() == BODY
    spec = archive(site.put("/b", fail(500)), body=b"other")
    site.requests.clear()
    with pytest.raises(FetchError, match=r"spec:2: 1\.0\.bin") as caught:
        one(spec, cache, rules)
    assert len(site.requests) == 1 + rules.retries
    assert "500" in caught.value.details


def test_lasting_errors_are_not_tried_again(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    with pytest.raises(FetchError) as caught:
        one(archive(site.url + "/missing"), cache, rules)
    assert "404" in caught.value.details
    assert len(site.requests) == 1


def test_a_hanging_server(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    spec = archive(site.put("/a", site.hang(b"some"), serve(BODY)))
    assert one(spec, cache, with_rules(rules, timeout=0.3)).path.read_bytes() == BODY


def test_redirections(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    site.put("/real", serve(BODY))
    spec = archive(site.put("/a", fail(302, Location="/real")))
    assert one(spec, cache, rules).path.read_bytes() == BODY
    loop = archive(site.put("/loop", fail(302, Location="/loop")), body=b"other")
    with pytest.raises(FetchError):
        one(loop, cache, rules)


def test_content_encoding_is_not_undone(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    """Some servers call a .tar.gz a gzip-encoded tar; the checksum is of what they send."""
    spec = archive(site.put("/a", serve(BODY, Content_Encoding="gzip")))
    assert one(spec, cache, rules).path.read_bytes() == BODY


def test_too_large(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    spec = archive(site.put("/a", serve(BODY)))
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        one(spec, cache, with_rules(rules, max_size=1000))


def test_nobody_listens(cache: DownloadCache, rules: FetchRules) -> None:
    with pytest.raises(FetchError, match=r"1\.0\.bin could not be fetched"):
        one(archive("http://127.0.0.1:9/x"), cache, with_rules(rules, retries=0))


@pytest.mark.parametrize("url", ["gopher://x/y", "debian:///pool/x", "http://[bad", "http:///x"])
def test_urls_that_make_no_sense(cache: DownloadCache, rules: FetchRules, url: str) -> None:
    with pytest.raises(LapstrakeError):
        one(archive(url), cache, with_rules(rules, retries=0))


def test_mirrors_in_order(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    site.put("/bad/x/1.tar", serve(b"forged"))
    site.put("/good/x/1.tar", serve(BODY))
    to = (f"{site.url}/missing/", f"{site.url}/bad/", f"{site.url}/good/")
    mirrored = with_rules(rules, rewrites=(Rewrite(prefix="debian:///pool/", to=to),))
    fetched = one(archive("debian:///pool/x/1.tar"), cache, mirrored)
    assert fetched.path.read_bytes() == BODY
    assert fetched.url == f"{site.url}/good/x/1.tar"


def test_a_wrong_sum_outweighs_a_missing_mirror(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    site.put("/bad", serve(b"forged"))
    to = (f"{site.url}/bad", f"{site.url}/missing")
    mirrored = with_rules(rules, rewrites=(Rewrite(prefix="https://example.org/a", to=to),))
    with pytest.raises(ChecksumError):
        one(archive("https://example.org/a"), cache, mirrored)


def test_rewriting_is_up_to_a_boundary() -> None:
    rules = FetchRules(
        rewrites=(
            Rewrite(prefix="https://a.org", to=("https://m.org/a",)),
            Rewrite(prefix="https://a.org/deep/", to=("https://d.org/", "https://a.org/deep/")),
            Rewrite(prefix="https://a.org/one.tar", to=("file:///one.tar",)),
        )
    )
    assert rules.candidates("https://a.org/x") == ("https://m.org/a/x",)
    assert rules.candidates("https://a.org.evil/x") == ("https://a.org.evil/x",)
    assert rules.candidates("https://a.org/deep/x") == ("https://d.org/x", "https://a.org/deep/x")
    assert rules.candidates("https://a.org/one.tar") == ("file:///one.tar",)
    assert rules.candidates("https://a.org/one.tar.gz") == ("https://m.org/a/one.tar.gz",)


def test_offline_names_the_source(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    with pytest.raises(FetchError, match="network may not be used"):
        one(archive(site.put("/a", serve(BODY))), cache, with_rules(rules, offline=True))
    assert not site.requests


def test_several_at_once_and_in_order(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    bodies = [os.urandom(10_000) for _ in range(20)]
    specs = [
        archive(site.put(f"/{n}", serve(body)), body=body, name=f"{n}.bin")
        for n, body in enumerate(bodies)
    ]
    fetched = fetch_all(specs, cache=cache, rules=rules)
    assert [source.path.read_bytes() for source in fetched] == bodies
    assert fetch_all([], cache=cache, rules=rules) == ()


@pytest.mark.timeout(100)
def test_the_first_error_ends_the_others(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    slow = archive(site.put("/slow", site.hang(b"x")), name="slow")
    broken = archive(site.url + "/missing", body=b"other", name="broken")
    with pytest.raises(FetchError, match="broken"):
        # The hanging one would take ten minutes to give up by itself.
        fetch_all([slow, broken], cache=cache, rules=with_rules(rules, timeout=600.0))
    assert not site.released.is_set()


def test_all_that_failed_are_named(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    together = threading.Barrier(2)

    def both(request: Any) -> None:
        together.wait(20)
        request.send_error(404)

    specs = [archive(site.put(n, both), body=n.encode(), name=n) for n in ("/a", "/b")]
    for _ in range(20):  # whoever is later may also have been given up by then
        with pytest.raises(FetchError) as caught:
            fetch_all(specs, cache=cache, rules=rules)
        if "2 sources" in caught.value.brief:
            break
    assert "spec:2: /a" in caught.value.details
    assert "spec:2: /b" in caught.value.details


def test_local_files(tmp_path: Path, cache: DownloadCache, rules: FetchRules) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "a file").write_bytes(BODY)
    offline = with_rules(rules, offline=True)
    spec = archive("a file", kind=SourceKind.FILE)
    assert one(spec, cache, offline, folder=bundle).path.read_bytes() == BODY
    other = DownloadCache(tmp_path / "other")
    spec = archive((bundle / "a file").as_uri())
    assert one(spec, other, offline).path.read_bytes() == BODY
    (bundle / "a file").write_bytes(b"changed")
    with pytest.raises(ChecksumError):
        one(spec, DownloadCache(tmp_path / "third"), offline)
    assert one(archive("a file", digest=None), cache, offline, folder=bundle).size == 7
    with pytest.raises(FetchError, match="does not exist"):
        one(archive("missing"), DownloadCache(tmp_path / "fourth"), rules, folder=bundle)


@pytest.mark.parametrize("url", ["../secret", "/etc/passwd", "link"])
def test_plain_paths_stay_in_the_bundle(
    tmp_path: Path, cache: DownloadCache, rules: FetchRules, url: str
) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "secret").write_bytes(BODY)
    (tmp_path / "bundle" / "link").symlink_to("../secret")
    with pytest.raises(FetchError, match="outside the bundle's folder"):
        one(archive(url), cache, rules, folder=tmp_path / "bundle")


def test_a_damaged_cache_heals(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    spec = archive(site.put("/a", serve(BODY)))
    path = one(spec, cache, rules).path
    path.chmod(0o644)
    path.write_bytes(b"rotten" + BODY[6:])
    assert not one(spec, cache, rules).from_cache
    assert path.read_bytes() == BODY
    assert len(site.requests) == 2


def test_two_processes_fetch_it_once(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    spec = archive(site.put("/a", serve(BODY)))
    results: list[Fetched] = []
    threads = [
        threading.Thread(target=lambda: results.append(one(spec, DownloadCache(cache.root), rules)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 5
    assert len(site.requests) == 1


def test_what_a_killed_process_left_is_removed(
    site: Site, cache: DownloadCache, rules: FetchRules
) -> None:
    with cache.scratch() as busy:
        abandoned = busy.with_name(busy.name.replace(".work", "x.work"))
        abandoned.mkdir()
        one(archive(site.put("/a", serve(BODY))), cache, rules)
        assert busy.exists()  # somebody is at work, so nothing is touched
        assert abandoned.exists()
    one(archive(site.put("/a", serve(BODY))), cache, rules)
    assert not abandoned.exists()


def test_one_url_two_contents_at_once(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    """Two versions of a bundle: each download has a file of its own."""
    new = os.urandom(300_000)
    url = site.put("/a", cut(BODY, 100_000, ETag='"v1"'))
    with pytest.raises(FetchError):
        one(archive(url), cache, with_rules(rules, retries=0))
    site.put("/a", serve(new))
    assert one(archive(url, new), cache, rules).path.read_bytes() == new
    site.put("/a", resumable(BODY))
    assert one(archive(url), cache, rules).path.read_bytes() == BODY
    assert site.requests[-1][1]["Range"] == "bytes=100000-"


class Ftp(socketserver.StreamRequestHandler):
    """Just enough of RFC 959 to give out one file, passively."""

    def handle(self) -> None:
        import socket

        self.say("220 ready")
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            for line in self.rfile:
                verb, _, word = line.decode().strip().partition(" ")
                match verb.upper():
                    case "USER":
                        self.say("230 come in")
                    case "EPSV":
                        self.say(f"229 here (|||{listener.getsockname()[1]}|)")
                    case "PASV":
                        port = listener.getsockname()[1]
                        self.say(f"227 here (127,0,0,1,{port >> 8},{port & 255})")
                    case "RETR" if word == "file.bin":
                        self.say(f"150 opening ({len(BODY)} bytes)")
                        connection, _ = listener.accept()
                        with connection:
                            connection.sendall(BODY)
                        self.say("226 done")
                    case "RETR" | "CWD" if word != "pub":
                        self.say("550 no such file")
                    case _:
                        self.say("200 fine")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def ftp_url() -> Any:
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Ftp) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"ftp://127.0.0.1:{server.server_address[1]}/pub"
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # urllib's, whose sockets close late
def test_ftp(ftp_url: str, site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    assert one(archive(f"{ftp_url}/file.bin"), cache, rules).path.read_bytes() == BODY
    with pytest.raises(FetchError) as caught:
        one(archive(f"{ftp_url}/missing", body=b"other"), cache, rules)
    assert "550" in caught.value.details
