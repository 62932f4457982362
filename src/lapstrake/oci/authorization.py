"""How a registry wants to know who we are: RFC 9110 challenges, and distribution's tokens."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lapstrake.errors import RegistryError
from lapstrake.oci.credentials import Credentials

if TYPE_CHECKING:
    import httpx2

_WORD = re.compile(r'([A-Za-z0-9_-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?[\s,]*')
_LARGEST_ANSWER = 1 << 20
_LOGIN = "Log in with docker login or podman login, or see whether you may do that there."


def parse_challenges(header: str) -> dict[str, dict[str, str]]:
    """Read ``WWW-Authenticate`` (RFC 9110, 11.6.1): the parameters of each scheme, lower case."""
    found: dict[str, dict[str, str]] = {}
    scheme = ""
    for word, quoted, plain in _WORD.findall(header):
        if quoted or plain:
            if scheme:
                found[scheme].setdefault(word.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
        else:
            scheme = word.lower()
            found.setdefault(scheme, {})
    return found


class Authorization:
    """What is shown to one registry; learnt from its refusals, shared by threads.

    Args:
        host: the registry, for messages.
        credentials: who we are; ``None``: nobody.
        scopes: what we want to do, as token servers read it: ``repository:NAME:pull,push``.
        plain: whether secrets may go to a token server without TLS.
    """

    def __init__(
        self, host: str, credentials: Credentials | None, scopes: Sequence[str], *, plain: bool
    ) -> None:
        self._host = host
        self._credentials = credentials or Credentials()
        self._scopes = dict.fromkeys(scopes)
        self._plain = plain
        self._lock = threading.Lock()
        self._header = f"Bearer {self._credentials.token}" if self._credentials.token else ""

    @property
    def header(self) -> str:
        """The value of ``Authorization``; empty for nothing."""
        return self._header

    def learn(self, challenge: str, shown: str, client: httpx2.Client) -> None:
        """Find out what to show instead of what was refused.

        Args:
            challenge: the refusal's ``WWW-Authenticate``.
            shown: what was refused; another thread may have learnt better since.
            client: for the token server.

        Raises:
            RegistryError: there is nothing else to show.
        """
        with self._lock:
            if self._header != shown:
                return
            schemes = parse_challenges(challenge)
            if "bearer" in schemes:
                self._header = f"Bearer {self._fetch_token(schemes['bearer'], client)}"
            elif "basic" in schemes and self._credentials.password and not shown:
                self._header = self._basic()
            else:
                raise self._refused()

    def _refused(self) -> RegistryError:
        who = f"as {self._credentials.user}" if self._credentials.user else "without credentials"
        return RegistryError(f"{self._host} does not let us in {who}", resolution=_LOGIN)

    def _basic(self) -> str:
        pair = f"{self._credentials.user}:{self._credentials.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def _fetch_token(self, challenge: Mapping[str, str], client: httpx2.Client) -> str:
        """Get a token for all we want and all that was asked for."""
        import httpx2

        self._scopes.update(dict.fromkeys(challenge.get("scope", "").split()))
        realm = challenge.get("realm", "")
        if not realm.startswith("https://") and not (self._plain and realm.startswith("http://")):
            raise RegistryError(f"{self._host} gets its tokens from {realm!r}, which is not safe")
        try:
            request = self._question(realm, challenge.get("service", ""), client)
            with contextlib.closing(client.send(request, stream=True)) as answer:
                document = json.loads(_read(answer)) if answer.status_code == 200 else {}
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as failed:
            raise RegistryError(
                f"{self._host}: no token from {realm}", details=type(failed).__name__
            ) from None
        if answer.status_code in (400, 401, 403):
            raise self._refused()
        said = document if isinstance(document, dict) else {}
        token = said.get("token") or said.get("access_token")
        if not isinstance(token, str):
            raise RegistryError(f"{self._host}: no token from {realm} ({answer.status_code})")
        return token

    def _question(self, realm: str, service: str, client: httpx2.Client) -> httpx2.Request:
        """What the token server is asked; a refresh token is sent as OAuth 2 says."""
        mine = self._credentials
        if mine.refresh_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "lapstrake",
                "scope": " ".join(self._scopes),
                "refresh_token": mine.refresh_token,
            }
            return client.build_request("POST", realm, data=form)
        questions: list[tuple[str, Any]] = [("scope", scope) for scope in self._scopes]
        if service:
            questions.append(("service", service))
        headers = {"Authorization": self._basic()} if mine.password else {}
        return client.build_request("GET", realm, params=questions, headers=headers)


def _read(response: httpx2.Response) -> bytes:
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _LARGEST_ANSWER:
            raise ValueError(f"more than {_LARGEST_ANSWER} bytes")
    return body
