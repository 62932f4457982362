"""From a site to the places to look at: a table by the site's type, without any network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from lapstrake.artifact.base import (
    BucketSite,
    FolderSite,
    OciSite,
    Package,
    ReleaseSite,
    Site,
    UrlSite,
)
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import Candidate


def plan(site: Site, identity: Identity, package: Package) -> tuple[Candidate, ...]:
    """Find the places where a site may have an archive, in the order to ask them.

    Args:
        site: the site.
        identity: what is wanted.
        package: whose site it is; relative folders are below its own.

    Raises:
        SiteError: the site names no place.
    """
    match site:
        case UrlSite():
            folder = local_folder(site.url)
            if folder is not None:
                return plan(FolderSite(path=folder), identity, package)
            from lapstrake.artifact.sites.url import plan_url

            return plan_url(site, identity)
        case FolderSite():
            from lapstrake.artifact.sites.folder import plan_folder

            return plan_folder(site, identity, package)
        case ReleaseSite():
            from lapstrake.artifact.sites.release import plan_release

            return plan_release(site, identity)
        case OciSite():
            from lapstrake.artifact.sites.registry import plan_registry

            return plan_registry(site, identity)
        case BucketSite():
            from lapstrake.artifact.sites.bucket import plan_bucket

            return plan_bucket(site, identity)


def local_folder(url: str) -> Path | None:
    """The folder that ``file:///...`` or a plain path names; ``None`` for what is elsewhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme.lower() == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    return None if parts.scheme else Path(url)
