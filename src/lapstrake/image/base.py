"""The values of images: what is asked for, and what was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lapstrake.config.model import Compression, Strategy
from lapstrake.names import Arch, CacheKey, Digest
from lapstrake.oci.descriptors import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """An image that somebody wants; equal requests get equal images.

    Attributes:
        packages: names as the package source knows them (or ``NAME=VERSION``), sorted, no twins;
            those of sets and those that every image has are among them.
        asked: what the user named, in the user's order, for messages.
        source: which package source: ``branch`` or ``nix``.
        tag: the branch, or the revision of a Nix repository.
        arch: for which machine.
        base: on the base OS, or only what the packages need.
        command: what runs in a container that is told nothing else.
        entrypoint: what that is given to.
        env: environment variables, besides those that every image has.
        user: who runs it.
        workdir: where it starts.
        labels: labels, besides ours.
        created: seconds since 1970; ``None``: that of the newest thing in it.
        budget: the most layers.
        strategy: how packages are put into layers.
        compression: of the layers.
    """

    packages: tuple[str, ...]
    asked: tuple[str, ...] = ()
    source: str = "branch"
    tag: str = "stable"
    arch: Arch = Arch.AMD64
    base: bool = False
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created: int | None = None
    budget: int = 94
    strategy: Strategy = Strategy.EXPECTED
    compression: Compression = Compression.GZIP


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLayer:
    """One layer of an image.

    Attributes:
        blob: the compressed tar.
        diff_id: digest of the plain tar.
        members: ids of the packages in it; empty for the base OS and the configuration.
        what: ``base``, ``packages`` or ``configuration``.
        reason: why these are together.
    """

    blob: Descriptor
    diff_id: Digest
    members: tuple[str, ...] = ()
    what: str = "packages"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image for one machine; all its blobs, the manifests too, are in the store of blobs.

    Attributes:
        key: hash of all that it was made from.
        request: what was asked for.
        config: the configuration's blob.
        layers: lowest first.
        oci: its manifest, OCI's media types.
        docker: its manifest, Docker's media types (gzip only); ``None`` with zstd.
        packages: ids of all packages in it.
    """

    key: CacheKey
    request: ImageRequest
    config: Descriptor
    layers: tuple[ImageLayer, ...]
    oci: Descriptor
    docker: Descriptor | None
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageIndex:
    """One image for each of several machines.

    Attributes:
        images: the members.
        oci: the index, OCI's media type.
        docker: the manifest list, Docker's media type; ``None`` with zstd.
    """

    images: tuple[Image, ...]
    oci: Descriptor
    docker: Descriptor | None
