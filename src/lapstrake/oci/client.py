"""A client of one repository of a registry (OCI distribution specification 1.1)."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from lapstrake.errors import RegistryError
from lapstrake.oci.answer import PASSING, Answer, Broken, answer_of, refusal, wished_pause
from lapstrake.oci.authorization import Authorization
from lapstrake.oci.credentials import find_credentials
from lapstrake.oci.repository import Repository

if TYPE_CHECKING:
    import httpx2

Body = Callable[[], Iterator[bytes]] | bytes
"""What is sent; made anew whenever it is sent again."""

_PORTS = {"http": 80, "https": 443}
_INTRODUCTIONS = 4  # a token may end, or be good for few requests
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 20.0


class RegistryClient:
    """Speaks with one repository; may be used by several threads.

    Args:
        repository: which.
        actions: what is done there, as token servers read it: ``pull``, or ``pull,push``.
        silence: the seconds without a byte after which an answer is given up.
        attempts: at most, for each request.
        pause: seconds before the second of them; longer before each after it.

    Raises:
        ConfigError: a file of credentials is damaged.
        RegistryError: a helper for credentials failed.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        actions: str = "pull,push",
        silence: float = 300.0,
        attempts: int = 5,
        pause: float | None = None,
    ) -> None:
        import httpx2

        from lapstrake import __version__

        self.repository = repository
        self._authorization = Authorization(
            repository.host,
            None
            if repository.anonymous and not repository.local
            else find_credentials(repository.host, repository.name),
            (f"repository:{repository.name}:{actions}",),
            plain=repository.local or repository.plain,
        )
        self._stopped = threading.Event()
        self._sockets: list[socket.socket] = []
        self._base = ""
        self._attempts = attempts
        self._first_pause = _FIRST_PAUSE if pause is None else pause
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(60.0, connect=min(15.0, silence), read=silence),
            headers={"User-Agent": f"lapstrake/{__version__}"},
            # No proxy could reach what is on this machine, whatever the environment says.
            mounts=dict.fromkeys(("http://", "https://", "all://")) if repository.local else None,
        )

    def connect(self) -> None:
        """Find out how the registry is reached: with TLS, or without where that is allowed.

        Raises:
            RegistryError: it cannot be reached, or is none.
        """
        plain = ("http",) if self.repository.plain or self.repository.local else ()
        secure = () if self.repository.plain else ("https",)
        complaints = []
        for scheme in (*plain, *secure):
            self._base = f"{scheme}://{self.repository.host}"
            attempts = 1 if secure and scheme == "http" else self._attempts
            try:
                answer = self._send_patiently("GET", f"{self._base}/v2/", attempts=attempts)
            except Broken as broken:
                complaints.append(f"{scheme}: {broken}")
                continue
            if answer.status == 200:
                return
            complaints.append(f"{scheme}: status {answer.status}")
        raise RegistryError(
            f"{self.repository.host} cannot be reached, or is no registry",
            details="\n".join(complaints),
            resolution="Look at its name. One without TLS elsewhere is docker+http://HOST/NAME:TAG "
            "for an image; for an artifact it needs --plain, and plain = true in a site.",
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        allowed: Collection[int],
        body: Body = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for something of the repository, some times if need be.

        Args:
            method: GET, HEAD, POST, PUT ...
            path: below the repository: ``manifests/TAG``; or a whole URL.
            doing: what for; errors begin with it.
            allowed: the statuses that are no error.
            body: what is sent.
            headers: besides ours.

        Raises:
            RegistryError: it does not work, or is refused.
        """
        try:
            answer = self._send_patiently(method, path, body=body, headers=headers)
        except Broken as broken:
            raise RegistryError(f"{doing}: {broken}") from broken
        if answer.status not in allowed:
            raise refusal(answer, doing)
        return answer

    def send(
        self, method: str, url: str, *, body: Body = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request, and again when the registry wants to know who we are.

        Raises:
            Broken: the connection broke.
            RegistryError: the registry does not let us in.
        """
        with self.open(method, url, body=body, headers=headers) as response:
            return answer_of(response)

    @contextlib.contextmanager
    def open(
        self, method: str, path: str, *, body: Body = b"", headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx2.Response]:
        """As `send`, but the answer's body is still to be read, inside the block.

        Raises: as `send`; breaks while it is read, too.
        """
        url = urljoin(f"{self._base}/v2/{self.repository.name}/", path)
        ours = self._is_ours(url)
        for count in range(_INTRODUCTIONS):
            shown = self._authorization.header if ours else ""
            with self._exchange(method, url, body, headers, shown) as response:
                if response.status_code != 401 or not ours or not self._is_ours(str(response.url)):
                    # Who asks after a redirection must not learn who we are.
                    yield response
                    return
                refused = answer_of(response)
            if count == _INTRODUCTIONS - 1:
                raise refusal(refused, f"{self.repository.host} does not let us in")
            challenge = refused.headers.get("www-authenticate", "")
            self._authorization.learn(challenge, shown, self._client)

    def pause(self, count: int, seconds: float = 0.0) -> None:
        """Wait before another attempt: longer each time, and not all threads equally long."""
        longest = min(self._first_pause * 2**count, _LONGEST_PAUSE)
        self._stopped.wait(max(seconds, longest * random.uniform(0.5, 1.0)))  # noqa: S311

    @property
    def stopped(self) -> bool:
        """Whether all is given up."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Give up all requests: threads that wait for an answer wake up at once."""
        self._stopped.set()
        for each in self._sockets:
            _end(each)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _send_patiently(
        self,
        method: str,
        url: str,
        *,
        body: Body = b"",
        headers: Mapping[str, str] | None = None,
        attempts: int = 0,
    ) -> Answer:
        """Send until it works; the last answer counts, whatever it is."""
        attempts = attempts or self._attempts
        for count in range(attempts):
            try:
                answer = self.send(method, url, body=body, headers=headers)
            except Broken:
                if count == attempts - 1 or self.stopped:
                    raise
                self.pause(count)
                continue
            if answer.status not in PASSING or count == attempts - 1:
                return answer
            self.pause(count, seconds=wished_pause(answer))
        raise AssertionError  # the last round returns or raises

    @contextlib.contextmanager
    def _exchange(
        self, method: str, url: str, body: Body, headers: Mapping[str, str] | None, shown: str
    ) -> Iterator[httpx2.Response]:
        import httpx2

        if self.stopped:
            raise Broken("given up")
        said = {**(headers or {}), **({"Authorization": shown} if shown else {})}
        try:
            request = self._client.build_request(
                method,
                url,
                content=body if isinstance(body, bytes) else body(),
                headers=said,
                extensions={"trace": self._note},
            )
            response = self._client.send(
                request, stream=True, follow_redirects=method in ("GET", "HEAD")
            )
            with contextlib.closing(response):
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL) as failed:
            raise Broken(str(failed) or type(failed).__name__) from failed

    def _note(self, event: str, info: dict[str, Any]) -> None:
        """Remember connections, for `stop`."""
        if event == "connection.connect_tcp.complete":
            made = info["return_value"].get_extra_info("socket")
            self._sockets.append(made)
            if self.stopped:  # too late for `stop` to see it
                _end(made)

    def _is_ours(self, url: str) -> bool:
        """Whether a URL is the registry's own: nobody else sees our credentials."""
        return _origin(self._base) == _origin(url)


def _end(connection: socket.socket) -> None:
    """End a connection; whoever waits for it wakes up."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Whose a URL is (RFC 6454); nobody's when it is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None
