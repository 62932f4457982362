"""Put an artifact's archive where sites look for it.

What is published stays what it is: the same bytes are not sent twice, and others of the same name
are refused unless they are forced.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from lapstrake.artifact.base import BucketSite, FolderSite, OciSite, ReleaseSite, Site
from lapstrake.artifact.publishing.base import Parcel, Shelf
from lapstrake.artifact.sites.base import SiteError, Terms
from lapstrake.errors import ArtifactError, UsageError


def publish_archive(site: Site, parcel: Parcel, terms: Terms, *, force: bool = False) -> str:
    """Publish a parcel.

    Args:
        site: where; nothing can be put on a web server's folder.
        parcel: what.
        terms: tokens, time limits; `Terms.on_bytes` is told how much was sent.
        force: send it, whatever is there by the same name.

    Returns:
        a line for people: where it is, and whether it was already.

    Raises:
        ArtifactError: other bytes are there, or the site refuses.
        RegistryError: a registry refuses, or cannot be reached.
        UsageError: nothing can be put there.
        StoreError: the disk refused.
    """
    try:
        if not isinstance(site, FolderSite):
            terms.need_network()
        with open_shelf(site, parcel, terms) as shelf:
            there = shelf.find()
            if there == parcel.sha256 and not force:
                return f"{shelf.where} is there already"
            if there is not None and not force:
                raise ArtifactError(
                    f"{shelf.where} is there already, and is something else",
                    details=f"there: {there}\nhere:  {parcel.sha256}",
                    resolution="Get what is there, or replace it with --force: whoever has it "
                    "keeps it.",
                )
            shelf.put()
            return f"{shelf.where} {'replaced' if there else 'published'}"
    except SiteError as refused:
        raise ArtifactError(
            f"{parcel.identity.file_name} cannot be published", details=str(refused)
        ) from refused
    finally:
        terms.web.close()


def open_shelf(site: Site, parcel: Parcel, terms: Terms) -> AbstractContextManager[Shelf]:
    """The place that a site has for a parcel.

    Raises:
        UsageError: nothing can be put there.
    """
    match site:
        case FolderSite():
            from lapstrake.artifact.publishing.folder import folder_shelf

            return folder_shelf(site, parcel)
        case OciSite():
            from lapstrake.artifact.publishing.registry import registry_shelf

            return registry_shelf(site, parcel, terms)
        case BucketSite():
            from lapstrake.artifact.publishing.bucket import bucket_shelf

            return bucket_shelf(site, parcel, terms)
        case ReleaseSite():
            from lapstrake.artifact.publishing.release import release_shelf

            return release_shelf(site, parcel, terms)
        case _:
            raise UsageError(
                f"nothing can be put on {getattr(site, 'url', site)}",
                resolution="Publish to a folder, a bucket, a registry or a release, and let the "
                "web server serve that.",
            )
