"""Which package set an image's packages come from: a channel, a git revision, or a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from lapstrake.config.model import NixConfig
from lapstrake.errors import ConfigError, StoreError
from lapstrake.formats.keys import Canonical
from lapstrake.host.files import remove_tree
from lapstrake.host.locks import locked
from lapstrake.place.workplace import Workplace

if TYPE_CHECKING:
    from lapstrake.source.job import Fetched

_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_KEPT = 4
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


@contextmanager
def open_package_set(place: Workplace, tag: str, scratch: Path) -> Iterator[PackageSet]:
    """Get the package set that the configuration names, in its order of precedence.

    What was checked out stays until the block is left, and afterwards while there is no need for
    its room.

    Args:
        place: whose configuration.
        tag: of the image.
        scratch: an empty folder on the disk of the private one.

    Raises:
        ConfigError: it names none.
        FetchError: the repository cannot be reached, or has no such revision.
    """
    config = place.config.nix
    if config.channel:
        yield _channel(config.channel)
    elif config.repository:
        with _repository(place, config.repository, tag, scratch) as checked_out:
            yield checked_out
    elif config.path is not None:
        yield _folder(config.path)
    else:
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


@contextmanager
def _repository(place: Workplace, url: str, tag: str, scratch: Path) -> Iterator[PackageSet]:
    """Check a revision out, once; only what moves is asked for again."""
    fetched = _fetch(place, url, "HEAD" if tag in _HEAD else tag)
    folder = place.private / "nix" / "sources" / fetched.digest.hex
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _checked_out(fetched.path, folder, scratch):
        _drop_oldest(folder.parent)
        # Something may take the whole folder into nix's store: its name must be the same always.
        yield PackageSet(
            where={"path": str(folder / "source")},
            sources={"repository": without_credentials(url), "revision": fetched.revision},
        )


@contextmanager
def _checked_out(archive: Path, folder: Path, scratch: Path) -> Iterator[None]:
    """Have a checkout there, and keep it until the block is left."""
    from lapstrake.source.unpack import UnpackBounds, unpack

    while True:
        with _lock(folder, exclusive=False):
            if folder.exists():
                os.utime(folder)
                yield
                return
        with _lock(folder):
            if not folder.exists():
                new = scratch / "checkout"
                unpack(archive, new / "source", bounds=UnpackBounds(outside_links=True))
                new.rename(folder)


def _fetch(place: Workplace, url: str, revision: str) -> Fetched:
    from lapstrake.source.cache import DownloadCache
    from lapstrake.source.fetch import fetch_all
    from lapstrake.source.rules import FetchRules, Rewrite
    from lapstrake.source.spec import SourceKind, SourceSpec

    name = without_credentials(url)
    place.progress.headline(f"fetching {name} at {revision}")
    rewrites = (
        Rewrite(prefix=rule.prefix, to=rule.replacements) for rule in place.config.rewrite_rules()
    )
    (fetched,) = fetch_all(
        [SourceSpec(kind=SourceKind.GIT, url=url, name=name, revision=revision)],
        cache=DownloadCache(place.config.cache.download_dir),
        rules=FetchRules(rewrites=tuple(rewrites), deadline=place.config.nix.timeout),
    )
    return fetched


def _drop_oldest(folder: Path) -> None:
    """Remove checkouts that nobody has used for longest, and nobody uses now."""
    used: dict[Path, float] = {}
    for each in folder.iterdir():
        with suppress(FileNotFoundError):  # somebody else drops it
            if _DIGEST.match(each.name):
                used[each] = each.stat().st_mtime
    for old in sorted(used, key=used.__getitem__, reverse=True)[_KEPT:]:
        with suppress(StoreError), _lock(old, timeout=0):
            remove_tree(old)


def _lock(
    folder: Path, *, exclusive: bool = True, timeout: float | None = None
) -> AbstractContextManager[None]:
    path = folder.with_name(f"{folder.name}.lock")
    return locked(path, what="a checkout of Nix packages", exclusive=exclusive, timeout=timeout)


def without_credentials(url: str) -> str:
    """A URL without a user's name and password.

    >>> without_credentials("https://me:secret@example.org/x.git?a=b")
    'https://example.org/x.git?a=b'
    """
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
