"""Where something is published to: as users write it, or one of the package's own sites."""

from __future__ import annotations

from pathlib import Path

from lapstrake.artifact.base import (
    BucketSite,
    FolderSite,
    Forge,
    OciSite,
    Package,
    ReleaseSite,
    Site,
    UrlSite,
)
from lapstrake.artifact.sites.resolve import local_folder
from lapstrake.errors import UsageError

_FORMS = (
    "oci:HOST/NAME, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, github:OWNER/NAME[@TAG], "
    "gitea:HOST/OWNER/NAME[@TAG], a folder, or the number of one of the package's sites"
)


def target_site(text: str, package: Package, *, plain: bool = False) -> Site:
    """The site that is meant.

    Args:
        text: what the user wrote; empty for the first site of the package that takes files.
        package: whose sites are meant by numbers, from 1 on.
        plain: talk to a registry without TLS.

    Raises:
        UsageError: there is no such site.
    """
    if not text:
        return _first(package)
    if text.isdecimal():
        return _numbered(int(text), package)
    kind, colon, rest = text.partition(":")
    if text.startswith(("s3://", "gs://")):
        return BucketSite(url=text.rstrip("/"))
    if colon and kind == "oci":
        return OciSite(repository=rest, plain=plain)
    if colon and kind in (Forge.GITHUB, Forge.GITEA):
        return _release(Forge(kind), rest, text)
    if "://" in text:
        raise UsageError(f"nothing can be put on {text}", resolution=f"Name one of: {_FORMS}.")
    return FolderSite(path=Path(text).expanduser().absolute())


def _first(package: Package) -> Site:
    """The first site that takes files."""
    for site in map(_on_disk, package.sites):
        if not isinstance(site, UrlSite):
            return site
    raise UsageError(
        f"{package.name} has no site to which something can be published",
        resolution=f"Say where with --to: {_FORMS}.",
    )


def _numbered(number: int, package: Package) -> Site:
    if not 1 <= number <= len(package.sites):
        raise UsageError(
            f"{package.name} has no site number {number}, but {len(package.sites)} sites",
            resolution=f"Name one of: {_FORMS}.",
        )
    return _on_disk(package.sites[number - 1])


def _on_disk(site: Site) -> Site:
    """A ``file://`` URL is a folder."""
    folder = local_folder(site.url) if isinstance(site, UrlSite) else None
    return FolderSite(path=folder) if folder else site


def _release(forge: Forge, rest: str, text: str) -> ReleaseSite:
    place, _, tag = rest.partition("@")
    host, _, repository = place.rpartition("/")
    if forge is Forge.GITEA:
        host, _, owner = host.rpartition("/")
        repository = f"{owner}/{repository}"
    else:
        host, repository = "", place
    parts = repository.split("/")
    if len(parts) != 2 or not all(parts) or (forge is Forge.GITEA and not host):
        raise UsageError(f"{text!r} names no releases", resolution=f"Name one of: {_FORMS}.")
    return ReleaseSite(forge=forge, url=host, repository=repository, tag=tag)
