"""Which package set an image's packages come from: a channel, a git revision, or a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from lapstrake.config.model import NixConfig
from lapstrake.errors import ConfigError
from lapstrake.formats.keys import Canonical
from lapstrake.host.files import remove_tree, temporary_name
from lapstrake.place.workplace import Workplace

_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_HEAD = frozenset({"", "latest"})  # the tags that mean a repository's own choice


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSet:
    """A package set that is here, or that nix gets.

    Attributes:
        where: what `nix_lookup.nix` takes as its source.
        sources: what it is, for the provenance; without credentials.
    """

    where: Mapping[str, Canonical]
    sources: Mapping[str, Canonical]


def fixed_identity(config: NixConfig, tag: str) -> Mapping[str, Canonical] | None:
    """What a package set is, if that can never change; ``None`` for branches, tags and folders.

    Args:
        config: where packages come from.
        tag: of the image; only a repository's revision depends on it.
    """
    if config.channel:
        return {"revision": config.channel} if _COMMIT.match(config.channel) else None
    if config.repository and _COMMIT.match(tag):
        return {"repository": without_credentials(config.repository), "revision": tag}
    return None


def open_package_set(place: Workplace, tag: str) -> PackageSet:
    """Get the package set that the configuration names, in its order of precedence.

    Raises:
        ConfigError: it names none.
        FetchError: the repository cannot be reached, or has no such revision.
    """
    config = place.config.nix
    if config.channel:
        return _channel(config.channel)
    if config.repository:
        return _repository(place, config.repository, tag)
    if config.path is not None:
        return _folder(config.path)
    raise ConfigError(
        "[nix] names no packages",
        resolution="Set channel, repository or path in [nix] of config.toml.",
    )


def _channel(channel: str) -> PackageSet:
    if _COMMIT.match(channel):
        return PackageSet(where={"revision": channel}, sources={"revision": channel})
    # Nix itself knows where channels are.
    url = channel if "://" in channel else f"channel:{channel}"
    return PackageSet(where={"tarball": url}, sources={"channel": without_credentials(url)})


def _folder(folder: Path) -> PackageSet:
    if not (folder / "default.nix").is_file():
        raise ConfigError(
            f"[nix] path: {folder} has no default.nix",
            resolution="Name a folder whose default.nix gives an attribute set of packages.",
        )
    real = str(folder.resolve())
    return PackageSet(where={"path": real}, sources={"path": real})


def _repository(place: Workplace, url: str, tag: str) -> PackageSet:
    """Check a revision out, once; only what moves is asked for again."""
    from lapstrake.source.cache import DownloadCache
    from lapstrake.source.fetch import fetch_all
    from lapstrake.source.rules import FetchRules, Rewrite
    from lapstrake.source.spec import SourceKind, SourceSpec
    from lapstrake.source.unpack import UnpackBounds, unpack

    revision = "HEAD" if tag in _HEAD else tag
    place.progress.headline(f"fetching packages at {tag or 'HEAD'}")
    rewrites = (
        Rewrite(prefix=rule.prefix, to=rule.replacements) for rule in place.config.rewrite_rules()
    )
    (fetched,) = fetch_all(
        [
            SourceSpec(
                kind=SourceKind.GIT, url=url, name=without_credentials(url), revision=revision
            )
        ],
        cache=DownloadCache(place.config.cache.download_dir),
        rules=FetchRules(rewrites=tuple(rewrites), deadline=place.config.nix.timeout),
    )
    # Its name is that of the folder's store path, if something takes the whole folder: a fixed one.
    folder = place.private / "nix" / "sources" / fetched.digest.hex
    with place.lock(f"nix-source-{fetched.digest.hex}", what="the packages' sources"):
        if not folder.exists():
            new = temporary_name(folder)
            try:
                unpack(fetched.path, new / "source", bounds=UnpackBounds(outside_links=True))
                new.rename(folder)
            finally:
                remove_tree(new)
    sources = {"repository": without_credentials(url), "revision": fetched.revision}
    return PackageSet(where={"path": str(folder / "source")}, sources=sources)


def without_credentials(url: str) -> str:
    """A URL without a user's name and password.

    >>> without_credentials("https://me:secret@example.org/x.git?a=b")
    'https://example.org/x.git?a=b'
    """
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
