"""The server's download cache, which workers ask before the rest of the world."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lapstrake.config.model import Config
from lapstrake.errors import BundleError
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.problems import Invalid, Unknown
from lapstrake.formats.checksum import hash_stream, parse_digest
from lapstrake.names import Digest
from lapstrake.source.cache import DownloadCache

_ALGORITHMS = ("sha256", "sha512", "sha384", "sha224", "blake2b", "blake2s")
"""What sources are pinned with, and found by afterwards."""


def find_source(config: Config, text: str) -> tuple[Path, Digest]:
    """A source that was fetched before, and its SHA-256.

    Args:
        config: whose download cache.
        text: its checksum, ``ALGORITHM:HEX``.

    Raises:
        Unknown: it is not there.
        Invalid: that is no checksum.
    """
    try:
        wanted = parse_digest(text)
    except BundleError as wrong:
        raise Invalid(wrong.brief, resolution=wrong.resolution) from wrong
    blob = DownloadCache(config.cache.download_dir).find(wanted)
    if blob is None:
        raise Unknown(f"the source {wanted} was not fetched here")
    return blob.path, blob.digest


def keep_source(config: Config, contents: Contents, digest: str) -> None:
    """Take an uploaded source into the download cache, under all checksums it may be pinned with.

    Raises:
        Unknown: its bytes were not uploaded.
        StoreError: the cache cannot be written.
    """
    file = contents.path(digest)
    cache = DownloadCache(config.cache.download_dir)
    with file.open("rb") as stream:
        sums = hash_stream(stream, _ALGORITHMS)
    with cache.scratch() as scratch, cache.writing(f"keeping {digest}"):
        copy = scratch / "source"
        try:
            os.link(file, copy)
        except OSError:  # on another disk
            shutil.copyfile(file, copy)
        cache.add(copy, sums.digest("sha256"), *(sums.digest(name) for name in _ALGORITHMS[1:]))
