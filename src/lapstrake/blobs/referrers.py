"""What refers to a manifest by its ``subject``: one document for each referrer.

``referrers/ALGORITHM-HEX/ALGORITHM-HEX`` (subject, referrer) holds the referrer's descriptor as the
referrers API of the OCI distribution specification 1.1 lists it. Nobody rewrites a list, so that
any number may be recorded at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.names import Digest

_FOLDER = "referrers"
_FOLDER_WITHIN = "_referrers"
"""No part of a repository's name begins so: a repository could be called ``NAME/referrers/...``."""


def record_referrer(
    blobs: BlobStore, subject: Digest, descriptor: Mapping[str, object], *, within: str = ""
) -> None:
    """Record that a manifest refers to another one; both need not be there yet.

    Args:
        blobs: the store.
        subject: what is referred to.
        descriptor: of the referring manifest: ``mediaType``, ``digest``, ``size``,
            ``artifactType``, ``annotations``.
        within: the documents' folder (with a slash) of one repository; empty for made images.
    """
    text = json.dumps(descriptor, separators=(",", ":"), sort_keys=True)
    blobs.write(_name(subject, str(descriptor["digest"]), within), text.encode())


def forget_referrer(
    blobs: BlobStore, subject: Digest, referrer: Digest, *, within: str = ""
) -> bool:
    """Forget a referrer; says whether it was known."""
    return blobs.delete(_name(subject, str(referrer), within))


def referrers(blobs: BlobStore, subject: Digest, *, within: str = "") -> tuple[dict[str, Any], ...]:
    """The descriptors of all that refer to a manifest, sorted by digest."""
    found = (blobs.document(name) for name in blobs.names(_name(subject, "", within)))
    return tuple(json.loads(text) for text in found if text is not None)


def _name(subject: Digest, referrer: str, within: str) -> str:
    # A colon is no letter of documents' names.
    folder = _FOLDER_WITHIN if within else _FOLDER
    return f"{within}{folder}/{subject.algorithm}-{subject.hex}/{referrer.replace(':', '-')}"
