"""Telling a forge's API what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lapstrake.artifact.publishing.base import Parcel
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.artifact.sites.forge import Account
from lapstrake.artifact.sites.secrets import origin_of, shown_url
from lapstrake.artifact.sites.transfer import WebFile, fetch_json
from lapstrake.progress import Silent
from lapstrake.source.job import AttemptError

_PIECE = 1 << 20
_SAID = 300  # characters of an answer that is no JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeApi:
    """An API that knows who we are. Only questions are repeated; no redirection is followed.

    Attributes:
        account: who we are.
        address: the API's.
        terms: time limits.
    """

    account: Account
    address: str
    terms: Terms

    def headers_for(self, url: str) -> dict[str, str]:
        """The token's header, for the forge alone."""
        ours = origin_of(url) == origin_of(self.address)
        return self.account.headers() if ours else {}

    def find(self, url: str) -> Any:  # noqa: ANN401 - any JSON
        """Ask for a document; ``None`` when there is none.

        Raises:
            SiteError: the forge refuses.
        """
        headers = {"Accept": self.account.kind.accept, **self.account.headers()}
        asked = WebFile(url=url, headers=headers, refine=self.account.explain)
        try:
            return fetch_json(asked, self.terms, Silent())
        except NotThereError:
            return None

    def change(self, method: str, url: str, document: object = None) -> Any:  # noqa: ANN401
        """Have something made, changed or removed.

        Args:
            method: POST, PATCH or DELETE.
            url: of what.
            document: how it should be.

        Returns:
            how it is now.

        Raises:
            SiteError: the forge refuses.
        """
        return self._send(method, url, json=document)

    def upload(self, url: str, parcel: Parcel) -> Any:  # noqa: ANN401
        """Send a file as the body, as GitHub wants it. See `change`."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(parcel.size),
        }
        return self._send("POST", url, content=self._pieces(parcel), more=headers)

    def upload_form(self, url: str, parcel: Parcel, name: str) -> Any:  # noqa: ANN401
        """Send a file as a form, as Gitea wants it. See `change`."""
        with parcel.archive.open("rb") as file:
            form = {"attachment": (name, file, "application/octet-stream")}
            return self._send("POST", url, files=form)

    def _pieces(self, parcel: Parcel) -> Iterator[bytes]:
        with parcel.archive.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
                self.terms.on_bytes(file.tell(), parcel.size)

    def _send(
        self,
        method: str,
        url: str,
        *,
        more: dict[str, str] | None = None,
        **body: Any,  # noqa: ANN401 - what the library takes
    ) -> Any:  # noqa: ANN401
        import httpx2

        headers = {"Accept": self.account.kind.accept, **self.account.headers(), **(more or {})}
        where = f"{method} {shown_url(url)}"
        try:
            answer = self.terms.web.client().request(
                method,
                url,
                headers=headers,
                timeout=self.terms.timeout,
                follow_redirects=False,
                **body,
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as broken:
            raise SiteError(f"{where}: {broken or type(broken).__name__}") from broken
        if not answer.is_success:
            heard = {name.lower(): value for name, value in answer.headers.items()}
            refused = AttemptError("", status=answer.status_code, headers=heard)
            said = self.account.explain(refused) or f"status {answer.status_code}"
            raise SiteError(f"{where}: {said}: {_said(answer.content)}")
        try:
            return json.loads(answer.content or b"null")
        except ValueError as wrong:
            raise SiteError(f"{where}: the answer is no JSON: is this the right server?") from wrong


def _said(body: bytes) -> str:
    """Why a forge refused, in its words and on one line."""
    try:
        text = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = body[:_SAID].decode("utf-8", "replace")
    return " ".join(text.split()) or "no reason told"
