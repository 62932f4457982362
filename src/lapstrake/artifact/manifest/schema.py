"""The JSON schema of ``lapstrake.toml``, for editors and as its reference.

One file for all three that the file can be: a bundle, a package of an artifact, a project.
"""

from __future__ import annotations

import json
from typing import Any

from lapstrake.bundle.schema import bundle_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema that it is written in."""

_HAS_TYPE = {"required": ["package"], "properties": {"package": {"required": ["type"]}}}


def package_schema() -> dict[str, Any]:
    """The schema of a package's manifest."""
    from lapstrake.artifact.manifest.model import PackageManifest

    return PackageManifest.model_json_schema()


def project_schema() -> dict[str, Any]:
    """The schema of a project's manifest."""
    from lapstrake.artifact.manifest.model import ProjectManifest

    return ProjectManifest.model_json_schema()


def schema_text() -> str:
    """The schema of all three as JSON text; which one holds is seen by what the file has."""
    parts = {"Bundle": bundle_schema(), "Package": package_schema(), "Project": project_schema()}
    tables: dict[str, Any] = {}
    for name, part in parts.items():
        for inner, table in part.pop("$defs").items():
            if tables.setdefault(inner, table) != table:
                raise ValueError(f"two tables are called {inner}")
        part["title"] = name
        tables[f"{name}File"] = part
    schema = {
        "$schema": DIALECT,
        "title": "lapstrake.toml",
        "if": {"required": ["project"]},
        "then": {"$ref": "#/$defs/ProjectFile"},
        "else": {
            "if": _HAS_TYPE,
            "then": {"$ref": "#/$defs/PackageFile"},
            "else": {"$ref": "#/$defs/BundleFile"},
        },
        "$defs": tables,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
