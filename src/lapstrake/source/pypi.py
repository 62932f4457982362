"""Find a Python package's source archive through the simple index (PEP 503, PEP 691).

Which index that is, the user's pip says: its environment, its configuration, its own default.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from lapstrake.errors import FetchError
from lapstrake.host.process import find_program, run
from lapstrake.names import Digest
from lapstrake.source import http
from lapstrake.source.index_file import IndexFile
from lapstrake.source.job import Job, NotThereError, PassingError

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip")
_TIMEOUT = 60.0
_HASH = re.compile(r"(sha256|sha384|sha512|sha224|sha1|md5)=([0-9a-f]+)\Z")


def normalised(name: str) -> str:
    """A project's name as the index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_index(page: bytes, content_type: str, base: str) -> tuple[IndexFile, ...]:
    """Read a project's page of the simple index, JSON or HTML.

    Args:
        page: the bytes.
        content_type: the answer's; anything without ``json`` is taken for HTML.
        base: the page's URL, to which links are relative.
    """
    if "json" in content_type:
        return _parse_json(page, base)
    links = _Links()
    links.feed(page.decode("utf-8", "replace"))
    files = []
    for href in links.found:
        url, fragment = urldefrag(urljoin(base, href))
        match = _HASH.match(fragment)
        digest = Digest(match[1], match[2]) if match else None
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        files.append(IndexFile(name=name, url=url, digest=digest))
    return tuple(files)


def _parse_json(page: bytes, base: str) -> tuple[IndexFile, ...]:
    try:
        files = json.loads(page)["files"]
        return tuple(
            IndexFile(
                name=str(file["filename"]),
                url=urljoin(base, str(file["url"])),
                digest=_strongest(file.get("hashes") or {}),
            )
            for file in files
        )
    except (ValueError, KeyError, TypeError, AttributeError) as bad:
        raise NotThereError(f"{base}: no simple index ({bad})") from bad


def _strongest(hashes: dict[str, str]) -> Digest | None:
    for algorithm in ("sha256", "sha512", "sha384"):
        if algorithm in hashes:
            return Digest(algorithm, str(hashes[algorithm]).lower())
    return None


class _Links(HTMLParser):
    """Collects the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.extend(value for name, value in attrs if name == "href" and value)


def choose_file(
    files: tuple[IndexFile, ...], name: str, version: str, digest: Digest | None
) -> IndexFile | None:
    """Choose the source archive of a version: by its checksum if the index knows it, else by name.

    Old archives are spelled in many ways (``Foo_Bar-1.0.tar.gz``), so they are compared
    normalised.
    """
    if digest is not None:
        for file in files:
            if file.digest == digest:
                return file
    wanted = normalised(f"{name}-{version}")
    for suffix in _SUFFIXES:
        for file in files:
            if file.name.endswith(suffix) and normalised(file.name.removesuffix(suffix)) == wanted:
                return file
    return None


def find_archive(job: Job) -> IndexFile:
    """Ask the indexes in order for the source archive of a spec's version.

    Raises:
        FetchError: no index has it, none answers, or pip is missing.
    """
    spec = job.spec
    complaints = []
    for index in index_urls():
        page_url = f"{index.rstrip('/')}/{normalised(spec.url)}/"
        for candidate in job.rules.candidates(page_url):
            try:
                files = _page(job, candidate)
            except (NotThereError, PassingError) as refused:
                complaints.append(refused.brief)
                continue
            if not candidate.startswith("file:"):  # a server may not name files of this host
                files = tuple(file for file in files if file.url.startswith(("http:", "https:")))
            chosen = choose_file(files, spec.url, spec.revision, spec.digest)
            if chosen is not None:
                return chosen
            names = ", ".join(file.name for file in files[-8:]) or "nothing"
            complaints.append(f"{candidate}: no source archive of {spec.revision}; last: {names}")
    raise FetchError(
        f"{job.label}: no index has a source archive of {spec.url} {spec.revision}",
        details="\n".join(complaints),
        resolution="Check name and version, and pip's configuration (pip config list).",
    )


def _page(job: Job, url: str) -> tuple[IndexFile, ...]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        try:
            return parse_index(Path(unquote(parts.path), "index.html").read_bytes(), "", url)
        except OSError as missing:
            raise NotThereError(f"{url}: {missing.strerror}") from missing
    for count in range(job.rules.retries + 1):
        try:
            page, content_type, final = http.get_page(job, url, accept=_ACCEPT)
        except PassingError as passing:
            if count == job.rules.retries:
                raise
            job.wait(max(passing.wait, job.rules.pause * 2**count))
        else:
            return parse_index(page, content_type, final)
    raise AssertionError  # the last round returns or raises


def index_urls() -> tuple[str, ...]:
    """The indexes that the user's pip would ask: environment, configuration, pip's own default.

    Raises:
        FetchError: pip is not installed and PIP_INDEX_URL is not set.
    """
    said = os.environ.get("PIP_INDEX_URL", "")
    more = os.environ.get("PIP_EXTRA_INDEX_URL", "").split()
    if said and more:
        return (said, *more)
    listed = _pip_settings()
    said = said or listed.get("index-url", "") or _pip_default()
    return tuple(dict.fromkeys([said, *(more or listed.get("extra-index-url", "").split())]))


def _pip_settings() -> dict[str, str]:
    """What ``pip config list`` says: the ``download`` section over ``install`` over ``global``."""
    settings: dict[str, str] = {}
    listing = _pip("config", "list")
    for section in ("global", "install", "download", ":env:"):
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                settings[key.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return settings


def _pip_default() -> str:
    """The index pip asks when nothing is configured, as its own help names it."""
    match = re.search(
        r"\(default:?\s+(https?://\S+?)\)", " ".join(_pip("download", "--help").split())
    )
    if match is None:
        raise FetchError(
            "pip does not say which index it uses",
            resolution="Set PIP_INDEX_URL, or index-url in pip's configuration.",
        )
    return match[1]


def _pip(*arguments: str) -> str:
    program = find_program("pip3") or find_program("pip")
    argv = [str(program)] if program else [sys.executable, "-m", "pip"]
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    try:
        done = run(
            [*argv, *arguments], timeout=_TIMEOUT, error=FetchError,
            doing="asking pip for its index", env={**settings, "COLUMNS": "200"},
        )  # fmt: skip
    except FetchError as failed:
        failed.resolution = "Install it (apt install python3-pip), or set PIP_INDEX_URL."
        raise
    return done.text
