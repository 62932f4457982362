"""Manifests that clients push: read and checked. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lapstrake.blobs.addresses import parse_digest
from lapstrake.names import Digest
from lapstrake.oci.descriptors import INDEX_TYPES, MANIFEST_TYPES
from lapstrake.registry.base import MANIFEST_LIMIT
from lapstrake.registry.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a registry must know of a manifest.

    Attributes:
        media_type: OCI's, or that of Docker's schema 2.
        blobs: what it is made of: the configuration and the layers.
        manifests: the members of an index.
        subject: the manifest that it refers to.
        artifact_type: what it is, as referrers are listed by.
        annotations: its own.
    """

    media_type: str
    blobs: tuple[Digest, ...] = ()
    manifests: tuple[Digest, ...] = ()
    subject: Digest | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


def media_type_of(data: bytes) -> str:
    """The media type that a stored manifest gives itself; empty when it is no manifest."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    said = document.get("mediaType") if isinstance(document, dict) else None
    return said if isinstance(said, str) and said in MANIFEST_TYPES else ""


def read_manifest(data: bytes, content_type: str) -> Manifest:
    """Read what a client sent as a manifest.

    Args:
        data: the body.
        content_type: the request's ``Content-Type``; when it is empty the manifest's own holds.

    Raises:
        Problem: ``MANIFEST_INVALID``; the message names the wrong field.
    """
    if len(data) > MANIFEST_LIMIT:
        raise too_large()
    try:
        document = json.loads(data.decode(), parse_constant=_refuse)  # NaN is no JSON
    except (ValueError, RecursionError) as wrong:
        raise _invalid(f"the manifest is no JSON: {wrong}") from wrong
    if not isinstance(document, dict):
        raise _invalid("the manifest is no JSON object")
    if document.get("schemaVersion") != 2:
        raise _invalid("schemaVersion must be 2")
    media_type = _media_type(document, content_type)
    is_index = media_type in INDEX_TYPES
    return Manifest(
        media_type=media_type,
        blobs=() if is_index else _blobs(document),
        manifests=_digests(document, "manifests") if is_index else (),
        subject=_subject(document),
        artifact_type=_artifact_type(document, is_index=is_index),
        annotations=_annotations(document),
    )


def too_large() -> Problem:
    """What to answer to a manifest over the limit."""
    return Problem(413, "SIZE_INVALID", f"a manifest has at most {MANIFEST_LIMIT} bytes")


def _media_type(document: Mapping[str, Any], content_type: str) -> str:
    """Both are optional for OCI, but must not contradict each other."""
    said = document.get("mediaType")
    sent = content_type.partition(";")[0].strip().lower()
    if said is not None and not isinstance(said, str):
        raise _invalid("mediaType must be a string")
    if said and sent and said != sent:
        raise _invalid(f"mediaType is {said!r}, but Content-Type is {sent!r}")
    media_type = said or sent
    if media_type not in MANIFEST_TYPES:
        raise _invalid(f"{media_type!r} is no media type of a manifest")
    return media_type


def _blobs(document: Mapping[str, Any]) -> tuple[Digest, ...]:
    """The configuration and the layers; what says that it is elsewhere (``urls``) is not ours."""
    return (_digest(document.get("config"), "config"), *_digests(document, "layers"))


def _digests(document: Mapping[str, Any], key: str) -> tuple[Digest, ...]:
    entries = document.get(key)
    if not isinstance(entries, list):
        raise _invalid(f"{key} must be an array")
    ours = [entry for entry in entries if not (isinstance(entry, dict) and entry.get("urls"))]
    return tuple(_digest(entry, f"{key}[{number}]") for number, entry in enumerate(ours))


def _digest(descriptor: object, where: str) -> Digest:
    if not isinstance(descriptor, dict):
        raise _invalid(f"{where} must be a descriptor")
    digest = parse_digest(str(descriptor.get("digest")))
    if digest is None:
        raise _invalid(f"{where}.digest: {descriptor.get('digest')!r} is no digest")
    size = descriptor.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _invalid(f"{where}.size must be a number of bytes")
    if not isinstance(descriptor.get("mediaType"), str):
        raise _invalid(f"{where}.mediaType must be a string")
    return digest


def _subject(document: Mapping[str, Any]) -> Digest | None:
    subject = document.get("subject")
    return None if subject is None else _digest(subject, "subject")


def _annotations(document: Mapping[str, Any]) -> Mapping[str, str]:
    annotations = document.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise _invalid("annotations must be an object")
    return {
        _text(name, "annotations"): _text(value, f"annotations: {name}")
        for name, value in annotations.items()
    }


def _artifact_type(document: Mapping[str, Any], *, is_index: bool) -> str:
    """That of an image without one is its configuration's media type ("Listing Referrers")."""
    said = document.get("artifactType")
    if said is None and not is_index:
        said = document["config"]["mediaType"]
    return _text(said or "", "artifactType")


def _text(value: object, where: str) -> str:
    """A text that can be told again: JSON has escapes for halves of letters, UTF-8 has not."""
    if not isinstance(value, str):
        raise _invalid(f"{where}: {str(value)[:80]!r} is no text")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise _invalid(f"{where}: {value[:80]!r} is not Unicode")
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no value")


def _invalid(message: str) -> Problem:
    return Problem(400, "MANIFEST_INVALID", message)
