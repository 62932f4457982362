"""How an image came to be: an in-toto statement with SLSA provenance v1 (slsa.dev/provenance)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lapstrake.image.attest.parts import Part
from lapstrake.image.attest.subject import Subject

_BUILD_TYPE = "urn:lapstrake:image:1"
_BUILDER = "urn:lapstrake:builder"
_REQUEST = (
    "packages", "source", "tag", "base", "command", "entrypoint", "env", "user", "workdir",
    "labels", "budget",
)  # fmt: skip
Json = dict[str, Any]


def provenance_statement(subject: Subject) -> Json:
    """State what an image was made of, by what, on whose wish."""
    image = subject.image
    manifests = [image.oci, *([image.docker] if image.docker else [])]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": subject.name, "digest": {each.digest.algorithm: each.digest.hex}}
            for each in manifests
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": _parameters(subject),
                "internalParameters": {"sources": dict(subject.closure.sources)},
                "resolvedDependencies": [
                    *map(_material, subject.parts.parts),
                    *(_tree(content) for content, _ in subject.closure.below),
                ],
            },
            "runDetails": {
                "builder": {"id": _BUILDER, "version": {"lapstrake": subject.version}},
                "metadata": {"invocationId": image.key.hex},
            },
        },
    }


def _parameters(subject: Subject) -> Json:
    request = subject.image.request
    asked = {name: _plain(getattr(request, name)) for name in _REQUEST}
    return {
        **asked,
        "arch": request.arch.value,
        "strategy": request.strategy.value,
        "compression": request.compression.value,
        "created": request.created,
    }


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _material(part: Part) -> Json:
    material: Json = {"uri": part.purl, "name": part.file or part.key}
    if part.sha256:
        material["digest"] = {"sha256": part.sha256}
    if part.build:
        material["annotations"] = {"lapstrake:build": part.build}
    return material


def _tree(content: str) -> Json:
    """A layer below the packages, by what it is known by."""
    return {"uri": f"urn:lapstrake:{content.replace(' ', ':')}", "name": content}
