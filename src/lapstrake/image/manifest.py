"""Configurations, manifests and indexes as bytes; pure.

OCI image specification 1.1 (config.md, manifest.md, image-index.md) and Docker's Image Manifest
Version 2, Schema 2. Everything is canonical JSON: equal images have equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lapstrake.formats.keys import Canonical, canonical_json
from lapstrake.image.base import ImageLayer
from lapstrake.image.times import rfc3339
from lapstrake.names import Arch
from lapstrake.oci.descriptors import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    descriptor_document,
)

_MACHINES = {
    Arch.ARMHF: ("arm", "v7"), Arch.I386: ("386", ""), Arch.MIPS64EL: ("mips64le", ""),
    Arch.PPC64EL: ("ppc64le", ""), Arch.ARM64: ("arm64", "v8"),
}  # fmt: skip
"""GOARCH and variant where they are not Debian's name alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a container of the image does when it is told nothing.

    Attributes:
        created: seconds since 1970.
        env: environment variables.
        command: the default command.
        entrypoint: what it is given to.
        user: who runs it.
        workdir: where.
        labels: labels.
    """

    created: int
    env: Mapping[str, str]
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def platform(arch: Arch) -> dict[str, str]:
    """An architecture as indexes name it (image-index.md, ``platform``)."""
    machine, variant = _MACHINES.get(arch, (arch.value, ""))
    found = {"architecture": machine, "os": "linux"}
    return found | {"variant": variant} if variant else found


def configuration(arch: Arch, runtime: Runtime, layers: Sequence[ImageLayer]) -> bytes:
    """An image's configuration."""
    created = rfc3339(runtime.created)
    what: dict[str, Canonical] = {
        "Env": [f"{name}={value}" for name, value in sorted(runtime.env.items())],
        "Cmd": list(runtime.command),
        "Entrypoint": list(runtime.entrypoint),
        "User": runtime.user,
        "WorkingDir": runtime.workdir,
        "Labels": dict(runtime.labels),
    }
    history: list[Canonical] = [
        {"created": created, "created_by": f"lapstrake: {said(layer)}", "comment": layer.reason}
        for layer in layers
    ]
    return canonical_json(
        {
            **platform(arch),
            "created": created,
            "config": {name: value for name, value in what.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
            "history": history,
        }
    )


def said(layer: ImageLayer, most: int = 200) -> str:
    """What is in a layer, in a line."""
    if not layer.members:
        return layer.what
    text = " ".join(layer.members)
    if len(text) <= most:
        return text
    return f"{len(layer.members)} packages: {text[:most].rpartition(' ')[0]} ..."


def manifest(config: Descriptor, layers: Sequence[ImageLayer], *, docker: bool = False) -> bytes:
    """An image's manifest, OCI's or Docker's."""
    packed: list[Canonical] = [
        descriptor_document(layer.blob, DOCKER_LAYER if docker else "") for layer in layers
    ]
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": descriptor_document(config, DOCKER_CONFIG if docker else ""),
            "layers": packed,
        }
    )


def index(images: Sequence[tuple[Arch, Descriptor]], *, docker: bool = False) -> bytes:
    """An index of images for several machines, or Docker's manifest list."""
    members: list[Canonical] = [
        {**descriptor_document(descriptor), "platform": platform(arch)}
        for arch, descriptor in images
    ]
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_LIST if docker else OCI_INDEX,
            "manifests": members,
        }
    )
