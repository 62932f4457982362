"""The host's own apt configuration: what the built-in branch is made of."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lapstrake.config.places import os_release
from lapstrake.errors import ConfigError
from lapstrake.formats.sources_list import ListStyle, SourceEntry, is_exact, parse

APT_DIR = Path("/etc/apt")
ARCHIVE_PREFIX = "debian:///"
"""What a source's URL starts with to mean a file of the host vendor's archive."""

_VENDOR_COMPONENTS = {
    "debian": frozenset({"main", "contrib", "non-free", "non-free-firmware"}),
    "ubuntu": frozenset({"main", "restricted", "universe", "multiverse"}),
}


def host_entries(folder: Path = APT_DIR) -> tuple[SourceEntry, ...]:
    """Everything that the host's apt reads, in apt's order; unreadable files are left out."""
    parts = folder / "sources.list.d"
    try:
        more = sorted(path for path in parts.iterdir() if ListStyle.of(path))
    except OSError:
        more = []
    return tuple(entry for path in (folder / "sources.list", *more) for entry in _entries(path))


def vendor_entries(
    entries: Iterable[SourceEntry], *, vendor: str, codename: str
) -> tuple[SourceEntry, ...]:
    """Keep the vendor's own suites of a release: the packages a base OS is made of.

    Others publish suites that are named after the release too, so a suite counts as the vendor's
    when its name, its components and its keyring are.

    Args:
        entries: what apt reads.
        vendor: os-release's ID, ``debian`` or ``ubuntu``; another vendor has none.
        codename: the release, ``bookworm``.
    """
    components = _VENDOR_COMPONENTS.get(vendor)
    if components is None or not codename:
        return ()
    kept = []
    for entry in entries:
        own = tuple(suite for suite in entry.suites if _is_of_release(suite, codename))
        signed_by_vendor = not entry.signed_by or vendor in entry.signed_by.lower()
        binary = "deb" in entry.types and entry.enabled
        if own and binary and signed_by_vendor and components.issuperset(entry.components):
            kept.append(replace(entry, types=("deb",), suites=own))
    return tuple(kept)


def host_vendor_entries(folder: Path = APT_DIR) -> tuple[SourceEntry, ...]:
    """The host vendor's own suites, from the host's apt configuration."""
    release = os_release()
    return vendor_entries(
        host_entries(folder),
        vendor=release.get("ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
    )


def archive_uris(folder: Path = APT_DIR) -> tuple[str, ...]:
    """The archives that have the release itself (and so the pool), each with a final slash."""
    codename = os_release().get("VERSION_CODENAME", "")
    uris = [
        uri.rstrip("/") + "/"
        for entry in host_vendor_entries(folder)
        if codename in entry.suites
        for uri in entry.uris
    ]
    return tuple(dict.fromkeys(uris))


def _is_of_release(suite: str, codename: str) -> bool:
    """Whether a suite is the release, or one beside it: ``bookworm-security``."""
    beside = suite.startswith((f"{codename}-", f"{codename}/"))
    return suite == codename or (beside and not is_exact(suite))


@functools.lru_cache(maxsize=64)
def _parsed(text: str, origin: str, style: ListStyle) -> tuple[SourceEntry, ...]:
    """A list's entries; each pull from a registry asks for those of the host."""
    return parse(text, origin=origin, style=style)


def _entries(path: Path) -> Iterator[SourceEntry]:
    style = ListStyle.of(path)
    if style is None:
        return
    try:
        yield from _parsed(path.read_text("utf-8", "replace"), str(path), style)
    except (OSError, ConfigError):
        return  # apt itself tells about its files; we only look for what we can use
