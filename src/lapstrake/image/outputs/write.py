"""Write an image where the user wants it: the way to all kinds of targets."""

from __future__ import annotations

from lapstrake.blobs.base import BlobStore
from lapstrake.image.base import Image, ImageIndex
from lapstrake.image.outputs.content import content_of, one_image
from lapstrake.image.outputs.target import Kind, Target, check_target, parse_target
from lapstrake.image.outputs.writing import new_file
from lapstrake.progress import Progress


def write_image(
    blobs: BlobStore, image: Image | ImageIndex, target: str, *, progress: Progress
) -> str:
    """Write an image to a target, see docs/how-to/image-outputs.md.

    Files appear whole or not at all; what stood there before stays until then.

    Args:
        blobs: where the image's blobs are.
        image: an image, or an index of several where the target can hold one.
        target: such as ``oci:DIR:TAG``, see `lapstrake.image.outputs.target`.
        progress: who listens.

    Returns:
        a line for people: what was written, and the image's digest.

    Raises:
        UsageError: the target makes no sense.
        ImageError: it cannot be written.
        RegistryError: the registry refuses, or cannot be reached.
        StoreError: a blob of the image is missing.
    """
    goal = parse_target(target)
    check_target(goal)
    progress.headline(f"writing {goal.text}")
    if goal.kind in (Kind.LAYOUT, Kind.LAYOUT_ARCHIVE, Kind.REGISTRY):
        _write_whole(blobs, image, goal, progress)
        return f"{goal.text} {image.oci.digest}"
    one = _one(image, goal)
    _write_one(blobs, one, goal, progress)
    return f"{goal.text} {one.oci.digest}"


def _write_whole(
    blobs: BlobStore, image: Image | ImageIndex, goal: Target, progress: Progress
) -> None:
    """Write to what can hold an index."""
    from lapstrake.image.outputs import layout

    content = content_of(blobs, image.oci)
    if goal.kind is Kind.LAYOUT:
        layout.write_layout(blobs, content, goal, progress=progress)
    elif goal.kind is Kind.LAYOUT_ARCHIVE:
        layout.write_layout_archive(blobs, content, goal, progress=progress)
    else:
        from lapstrake.image.outputs.push import push_image

        push_image(blobs, content, goal, progress=progress)


def _one(image: Image | ImageIndex, goal: Target) -> Image:
    """The image to write where there is room for one: engines run those of this machine."""
    from lapstrake.config.model import host_arch

    return one_image(image, arch=host_arch() if goal.kind in (Kind.DOCKER, Kind.PODMAN) else "")


def _write_one(blobs: BlobStore, image: Image, goal: Target, progress: Progress) -> None:
    """Write to what holds one image."""
    if goal.kind in (Kind.DOCKER, Kind.PODMAN):
        from lapstrake.image.outputs.engine import load_image

        load_image(blobs, image, goal, progress=progress)
    elif goal.kind is Kind.DOCKER_ARCHIVE:
        from lapstrake.image.outputs.docker_archive import write_docker_archive

        with new_file(goal) as file:
            write_docker_archive(blobs, image, file, reference=goal.reference, progress=progress)
    else:
        from lapstrake.image.outputs import root_files

        write = root_files.write_tar if goal.kind is Kind.TAR else root_files.write_squashfs
        write(blobs, image, goal, progress=progress)
