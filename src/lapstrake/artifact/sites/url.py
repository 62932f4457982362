"""Archives in a folder of a web server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from lapstrake.artifact.base import UrlSite
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import SiteError, Terms
from lapstrake.artifact.sites.secrets import filled, refuse_secrets, shown_url
from lapstrake.artifact.sites.transfer import WebFile, fetch_file
from lapstrake.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlCandidate:
    """One file there.

    Attributes:
        site: the folder.
        name: the file.
    """

    site: UrlSite
    name: str

    @property
    def where(self) -> str:
        """See `Candidate`."""
        return f"{shown_url(self.site.url).rstrip('/')}/{self.name}"

    def get(self, target: Path, terms: Terms, progress: Progress) -> None:
        """See `Candidate`."""
        filling = terms.environment
        if self.site.foreign:
            texts = (*self.site.headers.values(), *self.site.query.values())
            refuse_secrets(self.site.url, texts, terms.trusted)
        headers = {key: filled(text, filling) for key, text in self.site.headers.items()}
        query = {key: filled(text, filling) for key, text in self.site.query.items()}
        url = address(self.site.url, self.name, query)
        fetch_file(WebFile(url=url, headers=headers), target, terms, progress)


def plan_url(site: UrlSite, identity: Identity) -> tuple[UrlCandidate]:
    """The file that a folder of a web server may have."""
    return (UrlCandidate(site=site, name=identity.file_name),)


def address(folder: str, name: str, query: dict[str, str]) -> str:
    """A file's URL: its name behind the folder's path, the query behind the folder's own.

    The name is quoted once, reserved characters (``+``) too, since some servers read them.

    Raises:
        SiteError: the folder is no URL.
    """
    try:
        parts = urlsplit(folder)
    except ValueError as wrong:
        raise SiteError(f"{shown_url(folder)!r} is no URL: {wrong}") from wrong
    path = f"{parts.path.rstrip('/')}/{quote(name, safe='')}"
    whole = "&".join(text for text in (parts.query, urlencode(query)) if text)
    return urlunsplit((parts.scheme, parts.netloc, path, whole, ""))
