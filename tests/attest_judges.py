"""The specifications' own schemas and tools as judges of documents."""

from __future__ import annotations

import functools
import json
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped,unused-ignore]
from in_toto_attestation.predicates.provenance.v1 import (  # type: ignore[import-untyped]
    provenance_pb2,
)
from in_toto_attestation.v1 import statement_pb2  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement import Statement  # type: ignore[import-untyped]
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def judge_spdx(document: dict[str, Any]) -> Any:
    """Read a document as SPDX's own library does; it must find nothing wrong."""
    parsed = JsonLikeDictParser().parse(document)  # type: ignore[no-untyped-call]
    assert [m.validation_message for m in validate_full_spdx_document(parsed)] == []
    return parsed


def judge_cyclonedx(document: dict[str, Any]) -> None:
    """Hold a document against CycloneDX's own schema."""
    assert _cyclonedx().validate_str(json.dumps(document)) is None


@functools.cache
def _cyclonedx() -> Any:
    from cyclonedx.schema import SchemaVersion  # slow to import, and all collect this module
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6)


def judge_provenance(document: dict[str, Any]) -> None:
    """Read a statement as in-toto's own library does; unknown fields are refused."""
    parsed = json_format.ParseDict(document, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
