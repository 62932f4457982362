"""The JSON schema of ``lapstrake.toml``, for editors and as its reference.

``python -m lapstrake.bundle.schema > docs/reference/lapstrake.toml.schema.json`` writes it anew.
"""

from __future__ import annotations

import json
import sys

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema that it is written in."""


def schema_text() -> str:
    """Return the schema as JSON text, keys in the order of the format."""
    from lapstrake.bundle.native_model import NativeBundle

    schema = {"$schema": DIALECT, **NativeBundle.model_json_schema(), "title": "lapstrake.toml"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
