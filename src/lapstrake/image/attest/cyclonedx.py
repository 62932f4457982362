"""A bill of material in CycloneDX 1.6, JSON (ECMA-424): one image, one text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lapstrake.image.attest.parts import Part, System
from lapstrake.image.attest.subject import Subject

_SYSTEM = "operating-system"
Json = dict[str, Any]


def cyclonedx_document(subject: Subject) -> Json:
    """Write the bill of material of an image."""
    parts, system = subject.parts.parts, subject.parts.system
    tool = {"type": "application", "name": "lapstrake", "version": subject.version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": subject.uuid("cyclonedx").urn,
        "version": 1,
        "metadata": {
            "timestamp": subject.created,
            "tools": {"components": [tool]},
            "component": {
                "type": "container",
                "bom-ref": subject.purl,
                "name": subject.name,
                "version": subject.digest,
                "purl": subject.purl,
            },
        },
        "components": [
            *([_system(system)] if system.id else []),
            *map(_component, parts),
        ],
        "dependencies": [
            {"ref": subject.purl, "dependsOn": sorted(set(subject.closure.graph.roots))},
            *({"ref": part.key, "dependsOn": list(part.needs)} for part in parts),
        ],
    }


def _system(system: System) -> Json:
    return {
        "type": "operating-system",
        "bom-ref": _SYSTEM,
        "name": system.id,
        "version": system.version or system.codename,
    }


def _component(part: Part) -> Json:
    component: Json = {
        "type": "library",
        "bom-ref": part.key,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    if part.license:
        component["licenses"] = [{"expression": part.license}]
    if part.sha256:
        component["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    if part.supplier:
        name, _, mail = part.supplier.rstrip("> ").partition("<")
        contact = {"contact": [{"email": mail}]} if mail else {}
        component["supplier"] = {"name": name.strip(), **contact}
    if part.homepage:
        component["externalReferences"] = [{"type": "website", "url": part.homepage}]
    if properties := list(_properties(part)):
        component["properties"] = properties
    return component


def _properties(part: Part) -> Iterator[Json]:
    facts = {
        "lapstrake:arch": part.arch,
        "lapstrake:source": part.source,
        "lapstrake:source_version": part.source_version,
        "lapstrake:store_path": part.key if part.key.startswith("/") else "",
    }
    return ({"name": name, "value": value} for name, value in facts.items() if value)
