"""A bill of material in SPDX 2.3, JSON (spdx.github.io/spdx-spec): one image, one text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from lapstrake.image.attest.licenses import license_references
from lapstrake.image.attest.parts import Part, System
from lapstrake.image.attest.subject import Subject

_IMAGE = "SPDXRef-Image"
_SYSTEM = "SPDXRef-OperatingSystem"
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9.-]")
Json = dict[str, Any]


def spdx_document(subject: Subject) -> Json:
    """Write the bill of material of an image."""
    parts, system = subject.parts.parts, subject.parts.system
    sources = {_source_id(part): part for part in parts if part.source}
    document: Json = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": subject.name,
        "documentNamespace": subject.uuid("spdx").urn,
        "creationInfo": {
            "created": subject.created,
            "creators": [f"Tool: lapstrake-{subject.version}"],
        },
        "packages": [
            _image(subject),
            *([_system(system)] if system.id else []),
            *map(_package, parts),
            *(_source(name, sources[name]) for name in sorted(sources)),
        ],
        "relationships": list(_relationships(parts, system)),
    }
    if references := sorted({name for part in parts for name in license_references(part.license)}):
        document["hasExtractedLicensingInfos"] = [_license(name) for name in references]
    return document


def _image(subject: Subject) -> Json:
    return {
        "SPDXID": _IMAGE,
        "name": subject.name,
        "versionInfo": subject.digest,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": subject.digest.partition(":")[2]}],
        "externalRefs": [_purl(subject.purl)],
        **_unknown_licenses(),
    }


def _system(system: System) -> Json:
    return {
        "SPDXID": _SYSTEM,
        "name": system.id,
        "versionInfo": system.version or system.codename,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
        **_unknown_licenses(),
    }


def _package(part: Part) -> Json:
    package: Json = {
        "SPDXID": _package_id(part.key),
        "name": part.name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [_purl(part.purl)],
        **_unknown_licenses(),
    }
    if part.version:
        package["versionInfo"] = part.version
    if part.file:
        package["packageFileName"] = part.file
    if part.supplier:
        name, _, mail = part.supplier.rstrip("> ").partition("<")
        package["supplier"] = f"Person: {name.strip()} ({mail})"
    if part.homepage:
        package["homepage"] = part.homepage
    if part.sha256:
        package["checksums"] = [{"algorithm": "SHA256", "checksumValue": part.sha256}]
    if part.license:
        package["licenseDeclared"] = part.license
    return package


def _source(identifier: str, part: Part) -> Json:
    return {
        "SPDXID": identifier,
        "name": part.source,
        "versionInfo": part.source_version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "SOURCE",
        "externalRefs": [_purl(part.source_purl)],
        **_unknown_licenses(),
    }


def _relationships(parts: tuple[Part, ...], system: System) -> Iterator[Json]:
    def relation(one: str, kind: str, other: str) -> Json:
        return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}

    yield relation("SPDXRef-DOCUMENT", "DESCRIBES", _IMAGE)
    if system.id:
        yield relation(_IMAGE, "CONTAINS", _SYSTEM)
    for part in parts:
        own = _package_id(part.key)
        yield relation(_IMAGE, "CONTAINS", own)
        if part.source:
            yield relation(own, "GENERATED_FROM", _source_id(part))
        for need in part.needs:
            yield relation(own, "DEPENDS_ON", _package_id(need))


def _unknown_licenses() -> Json:
    return {
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    }


def _license(name: str) -> Json:
    word = name.removeprefix("LicenseRef-")
    return {
        "licenseId": name,
        "name": word,
        "extractedText": f"The terms called {word} in the package's copyright file.",
    }


def _purl(url: str) -> Json:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": url,
    }


def _package_id(key: str) -> str:
    return f"SPDXRef-Package-{_word(key.removeprefix('/nix/store/'))}"


def _source_id(part: Part) -> str:
    return f"SPDXRef-Source-{_word(f'{part.source}-{part.source_version}')}"


def _word(text: str) -> str:
    """A text in the few characters that identifiers have; two texts never become one."""
    plain = _UNSPEAKABLE.sub("-", text)
    if plain == text:
        return text
    return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
