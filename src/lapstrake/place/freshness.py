"""Has upstream changed? Asked from the host, by conditional requests, before apt is started.

``apt update`` in a root takes seconds even when nothing is new. One conditional request for each
release file takes milliseconds (RFC 9110, section 13), and tells the same. What comes back decides
only whether apt runs; apt alone verifies and uses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TIMEOUT = 30.0
_BOUND = 16 << 20  # a release file is some 200 KB
ABSENT = "absent"
"""What stands for the digest of a release file that is not there."""
_CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release file as it is now.

    Attributes:
        digest: SHA-256 of its bytes; ``absent`` when there is none.
        headers: what the server said of its age, to ask again with.
    """

    digest: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What upstream has now.

    Attributes:
        releases: by URL.
        changed: the URLs whose file is another one than it was.
        failed: URL → why it could not be asked for.
    """

    releases: Mapping[str, Release]
    changed: tuple[str, ...]
    failed: Mapping[str, str]


def look(
    urls: tuple[str, ...],
    *,
    digests: Mapping[str, str],
    headers: Mapping[str, Mapping[str, str]],
) -> Freshness:
    """Ask for release files, all at the same time.

    Args:
        urls: of ``InRelease`` files; http, https and file.
        digests: what they were.
        headers: what the servers said then.
    """
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(urls)))) as pool:
        answers = list(
            pool.map(lambda url: _ask(url, digests.get(url, ""), headers.get(url, {})), urls)
        )
    pairs = list(zip(urls, answers, strict=True))
    releases = {url: answer for url, answer in pairs if isinstance(answer, Release)}
    failed = {url: answer for url, answer in pairs if isinstance(answer, str)}
    changed = tuple(url for url, release in releases.items() if release.digest != digests.get(url))
    return Freshness(releases=releases, changed=changed, failed=failed)


def _ask(url: str, digest: str, headers: Mapping[str, str]) -> Release | str:
    """One release file; older archives have only ``Release``."""
    answer = _fetch(url, digest, headers)
    if isinstance(answer, Release) and answer.digest == ABSENT and url.endswith("/InRelease"):
        return _fetch(url.removesuffix("InRelease") + "Release", digest, headers)
    return answer


def _fetch(url: str, digest: str, headers: Mapping[str, str]) -> Release | str:
    parts = urlsplit(url)
    if parts.scheme in {"file", "copy"}:
        return _read(Path(unquote(parts.path)))
    if parts.scheme not in {"http", "https"}:
        return f"{parts.scheme}: cannot be asked from the host"
    return _request(url, digest, headers)


def _read(file: Path) -> Release:
    try:
        return Release(digest=hashlib.sha256(file.read_bytes()).hexdigest())
    except OSError:
        return Release(digest=ABSENT)


def _request(url: str, digest: str, headers: Mapping[str, str]) -> Release | str:
    """A conditional request through the environment's proxies."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": "lapstrake"})  # noqa: S310
    if digest and digest != ABSENT:
        for header, condition in (
            ("ETag", "If-None-Match"),
            ("Last-Modified", "If-Modified-Since"),
        ):
            if header in headers:
                request.add_header(condition, headers[header])
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            body = answer.read(_BOUND)
            kept = {name: answer.headers[name] for name in _CONDITIONS if name in answer.headers}
    except urllib.error.HTTPError as refused:
        if refused.code == 304:
            return Release(digest=digest, headers=headers)
        if refused.code in {403, 404, 410}:
            return Release(digest=ABSENT)
        return f"{url}: {refused.code} {refused.reason}"
    except (OSError, ValueError) as failed:
        return f"{url}: {getattr(failed, 'reason', failed)}"
    return Release(digest=hashlib.sha256(body).hexdigest(), headers=kept)
