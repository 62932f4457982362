"""Requests to a farm's server: a token, bounded patience, problems raised as problems.

Workers and clients use the same. The HTTP library is imported with the first request.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from lapstrake.errors import FarmError
from lapstrake.farm.client.address import checked_token, checked_url, is_on_this_machine
from lapstrake.farm.client.answer import UnreachableError, problem_of, read, write
from lapstrake.farm.client.patience import Patience
from lapstrake.farm.problems import NoRoom, TooMany, Unavailable
from lapstrake.farm.values.lists import Page

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

Body = bytes | Callable[[], Iterator[bytes]]
"""What is sent: bytes, or what gives them anew for every try."""

PATIENCE = 30.0
"""Seconds for which a request that found no server is sent again."""

_CONNECT, _SILENCE = 10.0, 120.0
_PAGE = 200
_PASSING: tuple[type[FarmError], ...] = (UnreachableError, TooMany, Unavailable)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


class Connection:
    """A farm's server as a client sees it; threads may share one.

    Args:
        url: the server's address, ``http://HOST:PORT`` (a path before the API's is kept).
        token: shown with every request; empty for none.
        patience: seconds for which requests are repeated while nobody answers, or the answer is
            that it goes better later; every request may be repeated (RFC 9110 9.2.2): those that
            make something carry an ``Idempotency-Key``.
        silence: seconds without a byte before a connection counts as broken.
        awaits_room: be patient with a server whose disk is full, too.
        on_wait: told what stands in the way, once for each request that is sent again.

    Raises:
        FarmError: the address or the token cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        patience: float = PATIENCE,
        silence: float = _SILENCE,
        awaits_room: bool = False,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.url = checked_url(url)
        self.patience = patience
        self._token = checked_token(token)
        self._silence = silence
        self._again = Patience(on_wait)
        self._passing: tuple[type[FarmError], ...] = (
            (*_PASSING, NoRoom) if awaits_room else _PASSING
        )
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None

    def get(self, kind: type[T], path: str, **params: object) -> T:
        """Look something up; parameters that are ``None`` are left out."""
        return read(kind, self.call("GET", path, params=params).content)

    def pages(self, kind: type[T], path: str, **params: object) -> Iterator[T]:
        """All of a long list, page by page; parameters as of `get`."""
        after: str | None = None
        while True:
            body = self.call("GET", path, params={**params, "after": after, "limit": _PAGE}).content
            page = read(Page[kind], body)  # type: ignore[valid-type] # a type at run time
            yield from page.items
            after = page.next
            if after is None:
                return

    def send(self, kind: type[T], method: str, path: str, value: object = None) -> T:
        """Change something by a value of `lapstrake.farm.values`, or of JSON; gives the answer."""
        return read(kind, self.call(method, path, json=value).content)

    def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        body: Body | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        allowed: Collection[int] = (),
        patience: float | None = None,
        again: bool = True,
    ) -> httpx2.Response:
        """Send a request, some times if need be; gives the whole answer.

        Args:
            method: GET, PUT ...
            path: below the server's address: ``/api/v1/tasks``.
            json: a value that is sent as JSON.
            body: bytes that are sent.
            params: of the address; those that are ``None`` are left out.
            headers: besides ours.
            allowed: statuses that are no error, besides 2xx.
            patience: other than the connection's.
            again: send it again when the connection broke; else only when the server asks to.

        Raises:
            Problem: the server refuses.
            UnreachableError: nobody answered for so long.
            FarmError: the answer is no farm's.
        """
        said = dict(headers or {})
        if json is not None:
            body, said["Content-Type"] = write(json), "application/json"
        if method == "POST":
            said.setdefault("Idempotency-Key", secrets.token_hex(16))

        def once() -> httpx2.Response:
            with self.open(
                method, path, body=body, params=params, headers=said, allowed=allowed
            ) as response:
                response.read()
                return response

        passing = tuple(kind for kind in self._passing if again or kind is not UnreachableError)
        return self._again.call(once, self.patience if patience is None else patience, passing)

    @contextlib.contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        allowed: Collection[int] = (),
    ) -> Iterator[httpx2.Response]:
        """Send a request once; the answer's body is to be read inside the block.

        Raises: as `call`; `UnreachableError` also when the connection breaks inside the block, and
            a plain `FarmError` when the server's certificate is not to be trusted.
        """
        import httpx2

        client = self._made()
        try:
            request = client.build_request(
                method,
                self.url + path,
                content=body() if callable(body) else body,
                params=_given(params),
                headers=dict(headers or {}),
            )
            with contextlib.closing(client.send(request, stream=True)) as response:
                if not response.is_success and response.status_code not in allowed:
                    response.read()
                    raise problem_of(response)
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL) as broken:
            if _UNTRUSTED in str(broken):
                raise FarmError(  # which no waiting makes better
                    f"the certificate of {self.url} is not trusted: {broken}",
                    resolution="Name the file of its authority's certificate: $SSL_CERT_FILE.",
                ) from broken
            raise UnreachableError(
                f"the farm at {self.url} cannot be reached: {broken or type(broken).__name__}",
                resolution="Does `lapstrake serve` run there? The address is farm.server, or "
                "$LAPSTRAKE_SERVER.",
            ) from broken

    def stop(self) -> None:
        """Have threads that wait to try again give up at once."""
        self._again.stop()

    def close(self) -> None:
        """Close all connections."""
        self.stop()
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _made(self) -> httpx2.Client:
        """The client, made at the first request."""
        import httpx2

        from lapstrake import __version__

        with self._lock:
            if self._client is None:
                headers = {
                    "User-Agent": f"lapstrake/{__version__}",
                    "Accept-Encoding": "identity",  # digests are of the bytes as they are
                }
                if self._token:
                    headers["Authorization"] = f"Bearer {self._token}"
                local = is_on_this_machine(self.url)
                self._client = httpx2.Client(
                    timeout=httpx2.Timeout(self._silence, connect=_CONNECT),
                    headers=headers,
                    # No proxy could reach what is on this machine, whatever the environment says.
                    mounts=dict.fromkeys(("http://", "https://", "all://")) if local else None,
                )
            return self._client


def _given(params: Mapping[str, object] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}
