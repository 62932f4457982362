"""Looking at sites: first a plan, which costs nothing, then the getting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lapstrake.progress import Progress
from lapstrake.source.cancellation import Cancellation
from lapstrake.source.rules import Rewrite
from lapstrake.source.web import Web

_REDIRECTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all sites are asked under.

    Attributes:
        environment: our own environment: tokens, proxies.
        offline: ask no network.
        rewrites: the configuration's mirrors.
        timeout: seconds without a byte after which an attempt is over.
        retries: attempts after the first, where it may work another time.
        pause: seconds before the first of them; doubled for each after it.
        largest: bytes that an archive may have.
        on_bytes: told now and then how many bytes came, and of how many (0: unknown).
        trusted: servers that may see secrets though only a package names them that was fetched:
            ``HOST[:PORT]``, which is reached by TLS, or the beginning of a URL.
        web: the HTTP client, shared by all that is got together.
        cancelled: set when all should give up.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    offline: bool = False
    rewrites: tuple[Rewrite, ...] = ()
    timeout: float = 60.0
    retries: int = 3
    pause: float = 0.5
    largest: int = 64 << 30
    on_bytes: Callable[[int, int], None] = lambda _done, _total: None
    trusted: tuple[str, ...] = ()
    web: Web = field(default_factory=lambda: Web(redirects=_REDIRECTS))
    cancelled: Cancellation = field(default_factory=Cancellation)

    def need_network(self) -> None:
        """Refuse to go on when no network may be asked.

        Raises:
            SiteError: offline.
        """
        if self.offline:
            raise SiteError("not asked, since the network may not be used (--offline)")


class Candidate(Protocol):
    """One place where the archive may be; nothing was asked of it yet."""

    @property
    def where(self) -> str:
        """For people: the address, without secrets."""
        ...

    def get(self, target: Path, terms: Terms, progress: Progress) -> None:
        """Put the archive into a file; what an earlier attempt left in it is gone on with.

        Raises:
            NotThereError: the place does not have it; the text says what it has instead, if that
                can be told.
            SiteError: it could not be asked, or what it sent is broken.
        """
        ...


class SiteError(Exception):
    """A site could not be asked, or sent something broken; one line, for people."""


class NotThereError(SiteError):
    """A site was asked, and does not have the archive."""
