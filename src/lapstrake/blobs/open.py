"""The store of blobs that the configuration names."""

from __future__ import annotations

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.model import Config


def open_blobs(config: Config) -> BlobStore:
    """Open the store of ``registry.storage``; by default the work folder's ``images``.

    What was pushed can be made by nobody again, so it is not among what `cleanup all` removes.

    Raises:
        ConfigError: the setting names no storage.
        StoreError: it cannot be opened.
    """
    local = config.work_dir / "images"
    if not config.registry.storage:
        return LocalBlobs(local)
    from lapstrake.blobs.remote import remote_blobs  # a big library, and few need it

    return remote_blobs(config.registry.storage, scratch=local / "scratch")
