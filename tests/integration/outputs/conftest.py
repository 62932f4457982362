"""An image made by hand, and a store for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from handmade_images import Write, make_image, rich_layers
from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.model import host_arch
from lapstrake.image.base import Image, ImageIndex
from lapstrake.image.outputs.write import write_image
from lapstrake.progress import Silent


@pytest.fixture
def blobs(memory_path: Path) -> LocalBlobs:
    return LocalBlobs(memory_path / "blobs")


@pytest.fixture
def write(blobs: LocalBlobs, tmp_path: Path) -> Write:
    """Writes an image to a target, ``{}`` in which is the test's folder."""

    def write(image: Image | ImageIndex, target: str) -> str:
        return write_image(blobs, image, target.format(tmp_path), progress=Silent())

    return write


@pytest.fixture
def image(blobs: LocalBlobs) -> Image:
    """Two layers of busybox and files of all kinds, some of which are gone in the end."""
    return make_image(blobs, *rich_layers(), arch=host_arch(), command=["/bin/hello"])
