"""Publishing among the files of a release: GitHub's, and Gitea's (Forgejo's).

See GitHub's REST API ("Releases", "Release assets") and Gitea's ``/api/v1`` (swagger). A release
that is missing is made; the forge tags its default branch then.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lapstrake.artifact.base import Forge, ReleaseSite
from lapstrake.artifact.publishing.base import Parcel
from lapstrake.artifact.publishing.forge import ForgeApi
from lapstrake.artifact.sites.base import SiteError, Terms
from lapstrake.artifact.sites.forge import account_of, api_address, web_address
from lapstrake.artifact.sites.release import asset_name
from lapstrake.artifact.sites.secrets import origin_of, shown_url
from lapstrake.artifact.sites.transfer import WebFile, fetch_file
from lapstrake.progress import Silent

_SHA256 = "sha256:"
_NEW = ".new"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseShelf:
    """See `base.Shelf`."""

    site: ReleaseSite
    api: ForgeApi
    parcel: Parcel

    @property
    def where(self) -> str:
        """See `Shelf`."""
        release = f"{shown_url(web_address(self.site))}/{self.site.repository}/releases"
        return f"{release}/download/{quote(self._tag, safe='')}/{self._name}"

    @property
    def _tag(self) -> str:
        return self.site.tag or f"v{self.parcel.identity.version}"

    @property
    def _name(self) -> str:
        return asset_name(self.site, self.parcel.identity)

    @property
    def _repository(self) -> str:
        return f"{api_address(self.site)}/repos/{self.site.repository}"

    def find(self) -> str | None:
        """See `Shelf`; where the forge tells no digest, the file is got and read."""
        release = self._release()
        asset = None if release is None else _assets(release).get(self._name)
        if asset is None or asset.get("state", "uploaded") != "uploaded":
            return None  # GitHub keeps the names of uploads that broke
        digest = asset.get("digest")
        if isinstance(digest, str) and digest.startswith(_SHA256):
            return digest.removeprefix(_SHA256)
        if asset.get("size") != self.parcel.size:
            return f"{asset.get('size')} bytes"
        return self._digest_of(asset)

    def put(self) -> None:
        """See `Shelf`; a file of the name is removed when the new one has come."""
        release = self._release()
        if release is None:
            wanted = {"tag_name": self._tag, "name": self._tag}
            release = self.api.change("POST", f"{self._repository}/releases", wanted)
        assets = _assets(release)
        old, left = assets.get(self._name), assets.get(self._name + _NEW)
        if left is not None:
            self.api.change("DELETE", self._asset_url(release, left))
        if old is None:
            self._upload(release, self._name)
            return
        new = self._upload(release, self._name + _NEW)
        self.api.change("DELETE", self._asset_url(release, old))
        self.api.change("PATCH", self._asset_url(release, new), {"name": self._name})

    def _release(self) -> Any:  # noqa: ANN401 - any JSON
        url = f"{self._repository}/releases/tags/{quote(self._tag, safe='')}"
        return self.api.find(url)

    def _upload(self, release: Any, name: str) -> Any:  # noqa: ANN401
        if self.site.forge is Forge.GITEA:
            url = f"{self._repository}/releases/{release['id']}/assets?name={quote(name, safe='')}"
            return self.api.upload_form(url, self.parcel, name)
        url = str(release.get("upload_url", "")).partition("{")[0]
        if not url or origin_of(url)[0] != origin_of(self._repository)[0]:
            raise SiteError("the release tells no address to upload to")
        return self.api.upload(f"{url}?name={quote(name, safe='')}", self.parcel)

    def _asset_url(self, release: Any, asset: Any) -> str:  # noqa: ANN401
        if not isinstance(asset, dict) or not isinstance(asset.get("id"), int):
            raise SiteError("the answer describes no file of a release")
        if self.site.forge is Forge.GITEA:
            return f"{self._repository}/releases/{release['id']}/assets/{asset['id']}"
        return f"{self._repository}/releases/assets/{asset['id']}"

    def _digest_of(self, asset: Any) -> str:  # noqa: ANN401
        """Get a file that is there, and read it."""
        url = asset.get(self.api.account.kind.asset)
        if not isinstance(url, str):
            raise SiteError("the release tells no address of the file")
        headers = {"Accept": "application/octet-stream", **self.api.headers_for(url)}
        with tempfile.TemporaryDirectory(dir=self.parcel.archive.parent) as folder:
            copy = Path(folder, "copy")
            fetch_file(WebFile(url=url, headers=headers), copy, self.api.terms, Silent())
            with copy.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()


def _assets(release: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    assets = release.get("assets") if isinstance(release, dict) else None
    if not isinstance(assets, list) or not isinstance(release.get("id"), int):
        raise SiteError("the answer describes no release")
    return {
        each["name"]: each
        for each in assets
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    }


@contextmanager
def release_shelf(site: ReleaseSite, parcel: Parcel, terms: Terms) -> Iterator[ReleaseShelf]:
    """Open a release.

    Raises:
        SiteError: the forge refuses, or there is no token.
    """
    account = account_of(site, terms, ask_program=True)
    if account.token is None:
        raise SiteError(f"{site.repository}: publishing needs a token; set {account.wanted}")
    api = ForgeApi(account=account, address=api_address(site), terms=terms)
    yield ReleaseShelf(site=site, api=api, parcel=parcel)
