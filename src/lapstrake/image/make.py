"""Make images: the closure of a request, grouped, packed, and described by manifests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lapstrake.blobs.base import BlobStore
from lapstrake.config.model import Compression
from lapstrake.errors import UsageError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.grouping.base import Graph, Group
from lapstrake.host.locks import locked
from lapstrake.image import manifest
from lapstrake.image.base import Image, ImageIndex, ImageLayer, ImageRequest
from lapstrake.image.divide import Portion, divide, groups_of
from lapstrake.image.manifest import Runtime
from lapstrake.image.pack import PROCEDURE, pack_layers
from lapstrake.image.planning import Grouping, grouping_of, known_grouping
from lapstrake.image.record import find_image, record_image
from lapstrake.image.sources.base import Closure, PackageSource
from lapstrake.image.sources.open import bring_up_to_date, open_source
from lapstrake.image.times import read_seconds
from lapstrake.names import CacheKey, Digest
from lapstrake.oci import descriptors
from lapstrake.oci.descriptors import Descriptor
from lapstrake.place.foreign import place_for
from lapstrake.place.workplace import Workplace

_FORMAT = 1
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_image(
    place: Workplace, blobs: BlobStore, request: ImageRequest, *, refresh: bool | None = None
) -> Image:
    """Get an image: one that was made before of the same things, or a new one.

    Equal requests at the same time make one image.

    Args:
        place: where its packages come from.
        blobs: where its blobs go.
        request: what is wanted.
        refresh: look upstream for new packages first (``True``), or not (``False``), whatever the
            configuration says.

    Raises:
        MissingError: packages do not exist; all of them are named.
        LapstrakeError: it cannot be made.
    """
    making = _making(place, blobs, request, refresh=refresh)
    known = making.found()
    if known is not None:
        return known
    with making.alone():
        bring_up_to_date(making.place, request, refresh=refresh)
        making = replace(making, refresh=False)
        return making.found() or making.make()


def made_image(
    place: Workplace, blobs: BlobStore, request: ImageRequest, *, refresh: bool | None = False
) -> Image | None:
    """Find an image that is ready, in a millisecond or two; nothing is made or looked for.

    Args: as of `make_image`; unless told otherwise, a branch is taken as it is.
    """
    return _making(place, blobs, request, refresh=refresh).found()


def make_index(
    place: Workplace,
    blobs: BlobStore,
    requests: Sequence[ImageRequest],
    *,
    refresh: bool | None = None,
) -> ImageIndex:
    """Get an index of the images for several machines.

    Args: as of `make_image`; the requests differ in the machine.

    Raises: as `make_image`.
    """
    if len({request.arch for request in requests}) < max(1, len(requests)):
        raise UsageError("an index has one image for each machine")
    images = tuple(make_image(place, blobs, request, refresh=refresh) for request in requests)
    members = [(image.request.arch, image.oci) for image in images]
    oci = _add(blobs, manifest.index(members), descriptors.OCI_INDEX)
    theirs = [(image.request.arch, image.docker) for image in images if image.docker]
    docker = None
    if len(theirs) == len(images):
        docker = _add(blobs, manifest.index(theirs, docker=True), descriptors.DOCKER_LIST)
    return ImageIndex(images=images, oci=oci, docker=docker)


def image_groups(place: Workplace, request: ImageRequest) -> tuple[Graph, tuple[Group, ...]]:
    """Find out how the packages of an image would be grouped, without making it.

    Returns:
        the closure, and its groups, lowest layer first.

    Raises: as `make_image`.
    """
    if request.source == "branch":
        place = place_for(place, request.arch)
    bring_up_to_date(place, request, refresh=None)
    with open_source(place, request.source, refresh=False).open(request) as closure:
        grouping = grouping_of(place, request)
        return closure.graph, groups_of(closure, request, grouping)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """One request, and where it is fulfilled."""

    place: Workplace
    blobs: BlobStore
    request: ImageRequest
    refresh: bool | None

    @property
    def source(self) -> PackageSource:
        return open_source(self.place, self.request.source, refresh=self.refresh)

    def found(self) -> Image | None:
        state = self.source.state(self.request)
        grouping = None if state is None else known_grouping(self.place, self.request)
        if state is None or grouping is None:
            return None
        return find_image(self.blobs, self.key(state, grouping))

    def key(self, state: Mapping[str, Canonical], grouping: Grouping) -> CacheKey:
        """What all that goes into the image is known by."""
        return cache_key(
            "image",
            {
                "format": [_FORMAT, PROCEDURE],
                "request": _facts(self.request),
                "grouping": grouping.digest,
                "state": state,
            },
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep equal requests out until this one is done."""
        question = cache_key("image request", {"request": _facts(self.request)})
        with locked(
            self.place.private / "locks" / f"image-{question}",
            what=f"the image of {' '.join(self.request.asked or self.request.packages)}",
            on_wait=self.place.progress.headline,
        ):
            yield

    def make(self) -> Image:
        from lapstrake.image.attest.attach import attach_documents  # slow to import

        with self.source.open(self.request) as closure:
            grouping = grouping_of(self.place, self.request)
            portions = divide(closure, self.request, grouping)
            self.place.progress.headline(f"packing {len(portions)} layers")
            packed = pack_layers(
                self.blobs,
                [portion.source for portion in portions],
                locks=self.place.private / "locks",
            )
            layers = tuple(
                _layer(portion, done.blob, done.diff_id)
                for portion, done in zip(portions, packed, strict=True)
            )
            image = self.describe(closure, layers, self.key(closure.sources, grouping))
            attach_documents(self.blobs, image, closure)
            record_image(self.blobs, image)
        return image

    def describe(self, closure: Closure, layers: tuple[ImageLayer, ...], key: CacheKey) -> Image:
        """Store the configuration and the manifests."""
        blobs, request = self.blobs, self.request
        data = manifest.configuration(request.arch, _runtime(request, closure), layers)
        config = _add(blobs, data, descriptors.OCI_CONFIG)
        oci = _add(blobs, manifest.manifest(config, layers), descriptors.OCI_MANIFEST)
        docker = None
        if request.compression is Compression.GZIP:
            theirs = manifest.manifest(config, layers, docker=True)
            docker = _add(blobs, theirs, descriptors.DOCKER_MANIFEST)
        return Image(
            key=key,
            request=request,
            config=config,
            layers=layers,
            oci=oci,
            docker=docker,
            packages=tuple(
                sorted({*closure.carried, *(member.id for member in closure.members.values())})
            ),
        )


def _making(
    place: Workplace, blobs: BlobStore, request: ImageRequest, *, refresh: bool | None
) -> _Making:
    """A branch's packages come from where its architecture has its roots."""
    if request.source == "branch":
        place = place_for(place, request.arch)
    return _Making(place=place, blobs=blobs, request=_dated(request), refresh=refresh)


def _runtime(request: ImageRequest, closure: Closure) -> Runtime:
    return Runtime(
        created=closure.created if request.created is None else request.created,
        env={"PATH": _PATH, **closure.env, **request.env},
        command=request.command or (() if request.entrypoint else closure.command),
        entrypoint=request.entrypoint,
        user=request.user,
        workdir=request.workdir,
        labels=request.labels,
    )


def _layer(portion: Portion, blob: Descriptor, diff_id: Digest) -> ImageLayer:
    return ImageLayer(
        blob=blob,
        diff_id=diff_id,
        members=portion.members,
        what=portion.what,
        reason=portion.reason,
    )


def _facts(request: ImageRequest) -> dict[str, Canonical]:
    """All of a request that its image depends on."""
    facts = {name: getattr(request, name) for name in _FIELDS}
    return {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in facts.items()
    }


_FIELDS = tuple(name for name in ImageRequest.__dataclass_fields__ if name != "asked")


def _dated(request: ImageRequest) -> ImageRequest:
    """The request with the time that the environment gives (reproducible-builds.org)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if request.created is not None or not epoch:
        return request
    return replace(request, created=read_seconds(epoch, origin="SOURCE_DATE_EPOCH"))


def _add(blobs: BlobStore, data: bytes, media_type: str) -> Descriptor:
    descriptor = descriptors.describe(data, media_type)
    if blobs.find(descriptor.digest) is None:
        blobs.add(descriptor.digest, data)
    return descriptor
