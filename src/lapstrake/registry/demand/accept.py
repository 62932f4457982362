"""Which of several manifests a client gets: negotiation by ``Accept`` (RFC 9110, 12.5.1).

What clients ask for, seen on the wire: docker 20.10, podman, skopeo and containerd name all they
can read, indexes among them, with no weights that matter; curl sends ``*/*``.
"""

from __future__ import annotations

from collections.abc import Sequence

from lapstrake.oci.descriptors import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEX_TYPES,
    MANIFEST_TYPES,
    Descriptor,
)
from lapstrake.registry.demand.images import Manifests
from lapstrake.registry.problems import Problem


def accepted(accept: Sequence[str]) -> frozenset[str]:
    """The types of manifests that a client reads; all when it says none that we know of.

    Args:
        accept: the header's values, divided by commas or not.
    """
    words = (word for value in accept for word in value.split(","))
    ranges = {word.split(";")[0].strip().lower() for word in words}
    found = MANIFEST_TYPES & ranges
    return found if found and not ranges & {"*/*", "application/*"} else MANIFEST_TYPES


def wants_index(types: frozenset[str]) -> bool:
    """Whether a client can choose the machine by itself."""
    return bool(types & INDEX_TYPES)


def choose(name: str, made: Manifests, types: frozenset[str]) -> Descriptor:
    """The manifest that a client gets: OCI's where it reads that.

    Raises:
        Problem: it reads Docker's only, and there is none (layers compressed with zstd).
    """
    if made.oci.media_type in types or not types & {DOCKER_MANIFEST, DOCKER_LIST}:
        return made.oci
    if made.docker is None:
        message = (
            f"{name}: its layers are compressed with zstd, which needs a client that reads OCI"
        )
        raise Problem(404, "MANIFEST_UNKNOWN", message)
    return made.docker
