"""Archives among the files of a release: GitHub's, and Gitea's (Forgejo's).

First the public address of the file, which needs no API; then the API, which knows private
repositories, and what else the release has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lapstrake.artifact.base import Forge, ReleaseSite
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import Candidate, NotThereError, SiteError, Terms
from lapstrake.artifact.sites.forge import Account, account_of, api_address, web_address
from lapstrake.artifact.sites.others import describe_others
from lapstrake.artifact.sites.secrets import origin_of, shown_url
from lapstrake.artifact.sites.transfer import WebFile, fetch_file, fetch_json, verify_sha256
from lapstrake.progress import Progress

_SHA256 = "sha256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicCandidate:
    """A file at its public address.

    Attributes:
        site: the release.
        identity: what is wanted.
    """

    site: ReleaseSite
    identity: Identity

    @property
    def where(self) -> str:
        """See `Candidate`."""
        return shown_url(self._url)

    @property
    def _url(self) -> str:
        name = quote(asset_name(self.site, self.identity), safe="")
        return f"{download_folder(self.site, self.identity)}/{name}"

    def get(self, target: Path, terms: Terms, progress: Progress) -> None:
        """See `Candidate`."""
        account = account_of(self.site, terms)
        file = WebFile(url=self._url, headers=account.headers(), refine=account.explain)
        fetch_file(file, target, terms, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCandidate:
    """A file that the API names.

    Attributes:
        site: the release.
        identity: what is wanted.
    """

    site: ReleaseSite
    identity: Identity

    @property
    def where(self) -> str:
        """See `Candidate`."""
        return shown_url(self._url)

    @property
    def _url(self) -> str:
        tag = _tag(self.site, self.identity)
        return f"{api_address(self.site)}/repos/{self.site.repository}/releases/tags/{tag}"

    def get(self, target: Path, terms: Terms, progress: Progress) -> None:
        """See `Candidate`; where the API tells a file's SHA-256, it is verified."""
        terms.need_network()
        account = account_of(self.site, terms, ask_program=True)
        assets = self._assets(account, terms, progress)
        names = (self.identity.file_name, asset_name(self.site, self.identity))
        asset = next((assets[name] for name in names if name in assets), None)
        if asset is None:
            others = describe_others(self.identity, assets)
            raise NotThereError(f"the release has no such file{others}")
        url = asset.get(account.kind.asset)
        if not isinstance(url, str):
            raise SiteError("the release tells no address of the file")
        ours = origin_of(url) == origin_of(self._url)
        headers = {"Accept": "application/octet-stream", **(account.headers() if ours else {})}
        fetch_file(
            WebFile(url=url, headers=headers, refine=account.explain), target, terms, progress
        )
        digest = asset.get("digest")
        if isinstance(digest, str) and digest.startswith(_SHA256):
            verify_sha256(target, digest.removeprefix(_SHA256))

    def _assets(
        self, account: Account, terms: Terms, progress: Progress
    ) -> dict[str, dict[str, Any]]:
        """The release's files by their names."""
        headers = {"Accept": account.kind.accept, **account.headers()}
        asked = WebFile(url=self._url, headers=headers, refine=account.explain)
        try:
            release = fetch_json(asked, terms, progress)
        except NotThereError as missing:
            raise NotThereError(self._no_release(account)) from missing
        assets = release.get("assets") if isinstance(release, dict) else None
        if not isinstance(assets, list):
            raise SiteError("the answer describes no release: it lists no assets")
        return {
            asset["name"]: asset
            for asset in assets
            if isinstance(asset, dict) and isinstance(asset.get("name"), str)
        }

    def _no_release(self, account: Account) -> str:
        tag = self.site.tag or f"v{self.identity.version}"
        text = f"{self.site.repository} has no release {tag}"
        if account.token is None:
            return f"{text}, or is private: set {account.wanted}"
        return f"{text} that the token of {account.token.origin} may see"


def plan_release(site: ReleaseSite, identity: Identity) -> tuple[Candidate, ...]:
    """The addresses that a release's file may have."""
    api = ApiCandidate(site=site, identity=identity)
    return (api,) if site.api else (PublicCandidate(site=site, identity=identity), api)


def asset_name(site: ReleaseSite, identity: Identity) -> str:
    """An archive's name among a release's files: GitHub makes a dot of ``~``."""
    name = identity.file_name
    return name.replace("~", ".") if site.forge is Forge.GITHUB else name


def download_folder(site: ReleaseSite, identity: Identity) -> str:
    """The public address of a release's files."""
    return f"{web_address(site)}/{site.repository}/releases/download/{_tag(site, identity)}"


def _tag(site: ReleaseSite, identity: Identity) -> str:
    return quote(site.tag or f"v{identity.version}", safe="")
