"""An image handed to a container engine of this host, docker or podman."""

from __future__ import annotations

import tempfile

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError, RunnerError
from lapstrake.host.engine import Engine, find_engine
from lapstrake.image.base import Image
from lapstrake.image.outputs.docker_archive import write_docker_archive
from lapstrake.image.outputs.target import Kind, Target
from lapstrake.image.outputs.writing import judged
from lapstrake.progress import Progress

_LOAD_SECONDS = 3600.0
_PROGRAMS = {Kind.DOCKER: "docker", Kind.PODMAN: "podman"}


def find_target_engine(target: Target) -> Engine:
    """The engine that a target means.

    Raises:
        ImageError: it is not installed, or its daemon does not answer.
    """
    try:
        return find_engine(_PROGRAMS[target.kind])
    except RunnerError as silent:
        raise ImageError(
            f"{target.text}: {_PROGRAMS[target.kind]} does not answer",
            details=silent.details,
            resolution="Start its daemon or install it, or write docker-archive:FILE instead.",
        ) from silent


def load_image(blobs: BlobStore, image: Image, target: Target, *, progress: Progress) -> None:
    """Load an image into an engine under the target's name.

    Raises:
        ImageError: the engine does not answer, or does not take it.
    """
    engine = find_target_engine(target)
    with judged(target), tempfile.TemporaryFile(dir=blobs.scratch) as archive:
        write_docker_archive(blobs, image, archive, reference=target.reference, progress=progress)
        archive.flush()
        archive.seek(0)
        progress.headline(f"{engine.kind} loads {target.reference}")
        try:
            engine.call(
                "load", "--quiet",
                doing=f"loading {target.reference}",
                timeout=_LOAD_SECONDS,
                stdin=archive.fileno(),
            )  # fmt: skip
        except RunnerError as refused:
            raise ImageError(refused.brief, details=refused.details) from refused
