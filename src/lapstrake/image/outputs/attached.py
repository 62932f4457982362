"""What is attached to images: bills of material, provenance (manifests with a ``subject``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.referrers import referrers
from lapstrake.errors import RegistryError
from lapstrake.image.outputs.content import Content
from lapstrake.names import Digest
from lapstrake.oci.client import RegistryClient
from lapstrake.oci.descriptors import OCI_INDEX, Descriptor, read_descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A manifest that refers to another one.

    Attributes:
        subject: the one it refers to.
        manifest: itself.
        entry: how lists of referrers describe it.
    """

    subject: Digest
    manifest: Descriptor
    entry: dict[str, Any]


def find_attached(blobs: BlobStore, content: Content) -> tuple[Attached, ...]:
    """All that is attached to an image, or to an index and its members."""
    return tuple(
        Attached(subject=manifest.digest, manifest=read_descriptor(entry), entry=entry)
        for manifest in content.manifests
        for entry in referrers(blobs, manifest.digest)
    )


def list_attached(client: RegistryClient, attached: Sequence[Attached]) -> None:
    """List referrers where a registry does not: in an index with a tag made of the subject.

    See "Referrers Tag Schema" in the OCI distribution specification 1.1. What others listed stays.

    Args:
        client: the repository.
        attached: what refers to one manifest; not empty.

    Raises:
        RegistryError: the registry refuses, or the index that is there is damaged.
    """
    subject = attached[0].subject
    path = f"manifests/{subject.algorithm}-{subject.hex}"
    doing = f"listing what is attached to {subject}"
    answer = client.call(
        "GET", path, doing=doing, allowed=(200, 404), headers={"Accept": OCI_INDEX}
    )
    listed: list[dict[str, Any]] = []
    if answer.status == 200:
        try:
            listed = json.loads(answer.body)["manifests"]
            known = {entry["digest"] for entry in listed}
        except (ValueError, KeyError, TypeError) as damaged:
            raise RegistryError(f"{doing}: the registry's list is damaged") from damaged
    else:
        known = set()
    new = [each.entry for each in attached if each.entry["digest"] not in known]
    if not new:
        return
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*listed, *new]}
    client.call(
        "PUT",
        path,
        doing=doing,
        allowed=(200, 201, 202),
        body=json.dumps(index, sort_keys=True).encode(),
        headers={"Content-Type": OCI_INDEX},
    )
