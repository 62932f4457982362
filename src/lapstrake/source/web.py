"""The HTTP client of one fetch: made when it is first wanted, shared by its threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


class Web:
    """Makes the client once; connections are reused, certificates are loaded once."""

    def __init__(self) -> None:
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
                    max_redirects=10,
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
