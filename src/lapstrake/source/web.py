"""The HTTP client of one fetch: made when it is first wanted, shared by its threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


PRIVATE = "lapstrake_private"
"""The extension of a request that names its `Private` headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """What holds for a request, whatever it is redirected to.

    Attributes:
        names: of headers that only the first server may see.
        url: where that is; its scheme, host and port count.
        secure: never go on without TLS where it began with it.
    """

    names: tuple[str, ...]
    url: str
    secure: bool = False


class Web:
    """Makes the client once; connections are reused, certificates are loaded once.

    Args:
        redirects: the most that one request follows.
    """

    def __init__(self, *, redirects: int = 10) -> None:
        self._redirects = redirects
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None

    def client(self) -> httpx2.Client:
        """The client. The library is imported here, since most commands fetch nothing."""
        import httpx2

        from lapstrake import __version__

        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(
                    follow_redirects=True,
                    max_redirects=self._redirects,
                    event_hooks={"request": [_guard]},
                    headers={
                        "User-Agent": f"lapstrake/{__version__}",
                        "Accept-Encoding": "identity",  # checksums are of the bytes as they are
                    },
                )
            return self._client

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None


def _guard(request: httpx2.Request) -> None:
    """Called for each request of a chain of redirects, which hands the headers on."""
    import httpx2

    private: Private | None = request.extensions.get(PRIVATE)
    if private is None:
        return
    first = httpx2.URL(private.url)
    if private.secure and (first.scheme, request.url.scheme) == ("https", "http"):
        raise httpx2.UnsupportedProtocol("it redirects to a server without TLS")
    if private.names and request.url.origin != first.origin:
        for name in private.names:
            request.headers.pop(name, None)
