"""One file as an OCI artifact: a manifest without an image (image-spec 1.1, manifest.md).

Its configuration is the empty descriptor, its only layer the file, whose name is the layer's title:
so other clients of registries get the file, too. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lapstrake.formats.keys import canonical_json
from lapstrake.oci.descriptors import (
    OCI_MANIFEST,
    Descriptor,
    describe,
    descriptor_document,
    read_descriptor,
)

TITLE = "org.opencontainers.image.title"
EMPTY = b"{}"
EMPTY_CONFIG = describe(EMPTY, "application/vnd.oci.empty.v1+json")
_LONGEST_TAG = 128
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FileArtifact:
    """What such a manifest says.

    Attributes:
        kind: its ``artifactType``.
        title: the file's name.
        file: the file's blob.
        annotations: of the manifest.
    """

    kind: str
    title: str
    file: Descriptor
    annotations: Mapping[str, str]


def tag_of(name: str) -> str:
    """The tag that stands for a name: ``_`` in place of what no tag may have.

    A name that is too long ends with a dash and the beginning of its SHA-256.

    >>> tag_of("br-linux_x86_64-1.0+rc.2-0A1B2C3")
    'br-linux_x86_64-1.0_rc.2-0A1B2C3'
    """
    tag = re.sub(r"\A[.-]", "_", _UNFIT.sub("_", name))
    if len(tag) <= _LONGEST_TAG:
        return tag
    digits = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{tag[: _LONGEST_TAG - _DIGITS - 1]}-{digits}"


def write_manifest(artifact: FileArtifact) -> bytes:
    """The manifest; equal artifacts get equal bytes."""
    titled = {**descriptor_document(artifact.file), "annotations": {TITLE: artifact.title}}
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact.kind,
            "config": descriptor_document(EMPTY_CONFIG),
            "layers": [titled],
            "annotations": dict(artifact.annotations),
        }
    )


def read_manifest(document: Mapping[str, Any]) -> FileArtifact:
    """Read a manifest, whoever wrote it.

    Raises:
        ValueError: it holds no file, several, or is malformed; the text says what is the matter.
    """
    layers = document.get("layers")
    if not isinstance(layers, list) or len(layers) != 1:
        raise ValueError("its manifest does not have exactly one file")
    try:
        file = read_descriptor(layers[0])
        said = document.get("annotations") or {}
        annotations = {str(key): str(value) for key, value in said.items()}
        title = str(file.annotations.get(TITLE, ""))
    except (KeyError, TypeError, AttributeError, ValueError) as damaged:
        raise ValueError("its manifest is malformed") from damaged
    if not isinstance(file.size, int) or file.size < 0:
        raise ValueError("its manifest is malformed")
    kind = str(document.get("artifactType", ""))
    return FileArtifact(kind=kind, title=title, file=file, annotations=annotations)
