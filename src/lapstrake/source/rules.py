"""The rules sources are fetched by: mirrors, bounds, what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lapstrake.names import Digest

_BOUNDARIES = "/?#:="


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """One URL, or all that begin with a prefix, are fetched from somewhere else.

    Attributes:
        prefix: a whole URL or its beginning; it matches only up to a boundary, so that
            ``https://a.org`` does not match ``https://a.org.example``.
        to: what to put in the prefix's place, tried in order. The URL itself is not tried unless
            it is among them.
    """

    prefix: str
    to: tuple[str, ...]

    def apply(self, url: str) -> tuple[str, ...]:
        """The URLs to try instead of `url`; empty when this rule is not about it."""
        if not self.prefix or not url.startswith(self.prefix):
            return ()
        rest = url[len(self.prefix) :]
        if rest and self.prefix[-1] not in _BOUNDARIES and rest[0] not in _BOUNDARIES:
            return ()
        return tuple(replacement + rest for replacement in self.to)


class Elsewhere(Protocol):
    """Another host's sources, known by their checksums alone. Threads may share one."""

    def find(self, digest: Digest, target: Path) -> bool:
        """Write the bytes with a checksum to a file; says whether it has them."""
        ...

    def offer(self, file: Path, digest: Digest) -> None:
        """Hear of bytes that were fetched, by their SHA-256; must not raise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRules:
    """How to fetch.

    Attributes:
        rewrites: mirrors; of several that match, the one with the longest prefix holds.
        offline: only what the cache has.
        retries: further attempts after one that failed for a passing reason.
        pause: seconds before the first further attempt; doubled for each after it.
        timeout: seconds without a byte that end an attempt.
        deadline: seconds that one source may take in all.
        max_size: bytes that one source may have.
        recheck: ask servers where tags point now, although the cache knows where they pointed.
            Branches are always asked for; what is named by its hash, never.
        jobs: sources fetched at a time.
        elsewhere: who is asked for what is pinned, before its own address is.
    """

    rewrites: tuple[Rewrite, ...] = ()
    offline: bool = False
    retries: int = 4
    pause: float = 0.5
    timeout: float = 60.0
    deadline: float = 3600.0
    max_size: int = 64 << 30
    recheck: bool = True
    jobs: int = 8
    elsewhere: Elsewhere | None = None

    def candidates(self, url: str) -> tuple[str, ...]:
        """The URLs to try for a URL, in order."""
        matching = [rule for rule in self.rewrites if rule.apply(url)]
        if not matching:
            return (url,)
        best = max(matching, key=lambda rule: len(rule.prefix))
        return tuple(dict.fromkeys(best.apply(url)))
