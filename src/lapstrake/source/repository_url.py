"""The addresses by which version control systems may be asked for a repository."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from lapstrake.errors import FetchError
from lapstrake.source.job import Job

_SCHEMES = frozenset(
    {"http", "https", "git", "ssh", "git+ssh", "file", "svn", "svn+ssh", "bzr", "bzr+ssh"}
)
_SCP_LIKE = re.compile(r"[A-Za-z0-9_][\w.+-]*@[A-Za-z0-9][\w.-]*:[^-:]")


def check_url(job: Job, url: str) -> None:
    """Refuse URLs that make a program do something else than fetch.

    Raises:
        FetchError: an unknown scheme (``ext::sh -c ...``), or a host that begins with a dash.
    """
    try:
        parts = urlsplit(url)
        dashed = any(part.startswith("-") for part in (url, parts.netloc, parts.hostname or ""))
    except ValueError as wrong:
        raise FetchError(f"{job.label}: {url!r} is no URL: {wrong}") from wrong
    known = parts.scheme.lower() in _SCHEMES or url.startswith("/") or _SCP_LIKE.match(url)
    if dashed or not known or "::" in url.partition("://")[0] or any(c < " " for c in url):
        raise FetchError(
            f"{job.label}: {url!r} is no URL of a repository",
            resolution=f"Use one of: {', '.join(sorted(_SCHEMES))}.",
        )
