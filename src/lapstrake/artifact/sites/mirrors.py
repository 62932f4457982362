"""Sites behind the mirrors of the configuration: a rule for URLs holds for artifacts, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lapstrake.artifact.base import ReleaseSite, Site, UrlSite
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.release import download_folder
from lapstrake.source.rules import FetchRules, Rewrite


def mirrored(site: Site, identity: Identity, rewrites: Sequence[Rewrite]) -> tuple[Site, ...]:
    """Find the sites to ask in the place of one.

    Args:
        site: the site.
        identity: what is wanted of it.
        rewrites: the rules; that with the longest fitting prefix holds.

    Returns:
        the site itself when no rule is about it, else what the rule names, in order. Headers, and
        variables of a query, are meant for the site's own server: no mirror gets them.
    """
    if isinstance(site, UrlSite):
        folder = site.url
    elif isinstance(site, ReleaseSite) and not site.api:
        folder = download_folder(site, identity)
    else:
        return (site,)
    if "?" not in folder:
        folder = folder.rstrip("/") + "/"  # what a rule's prefix may end with
    urls = FetchRules(rewrites=tuple(rewrites)).candidates(folder)
    return tuple(site if url == folder else _mirror(site, url) for url in urls)


def _mirror(site: UrlSite | ReleaseSite, url: str) -> UrlSite:
    if not isinstance(site, UrlSite):
        return UrlSite(url=url)
    query = {key: text for key, text in site.query.items() if "${" not in text}
    return replace(site, url=url, headers={}, query=query)
