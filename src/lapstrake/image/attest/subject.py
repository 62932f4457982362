"""The image that a document is about, as all documents name it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from packageurl import PackageURL

import lapstrake
from lapstrake.image.attest.parts import Parts, parts_of
from lapstrake.image.base import Image
from lapstrake.image.sources.base import Closure
from lapstrake.image.times import rfc3339

_NAMESPACE = uuid.UUID("3c0f7f4e-5f0b-5c1c-9a53-6a1f0c1d2b60")  # of our documents, RFC 9562 5.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An image, and what is in it.

    Attributes:
        image: the image.
        closure: what it was made of.
        parts: its packages.
    """

    image: Image
    closure: Closure
    parts: Parts

    @classmethod
    def of(cls, image: Image, closure: Closure) -> Subject:
        """Look at an image's packages."""
        return cls(image=image, closure=closure, parts=parts_of(closure))

    @property
    def name(self) -> str:
        """What somebody would pull, without the tag; the same for equal images."""
        return "/".join(self.image.request.packages) or "image"

    @property
    def digest(self) -> str:
        """Of the OCI manifest."""
        return str(self.image.oci.digest)

    @property
    def purl(self) -> str:
        """The image's package URL."""
        arch = {"arch": self.image.request.arch.value}
        return PackageURL("oci", None, "image", self.digest, qualifiers=arch).to_string()

    @property
    def version(self) -> str:
        """Lapstrake's version."""
        return lapstrake.__version__

    @property
    def created(self) -> str:
        """When the image was made, as the image itself says."""
        asked = self.image.request.created
        seconds = self.closure.created if asked is None else asked
        return rfc3339(seconds)

    def uuid(self, kind: str) -> uuid.UUID:
        """The identity of a document about the image."""
        return uuid.uuid5(_NAMESPACE, f"{kind} {self.digest} {self.version}")
