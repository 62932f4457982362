"""The JSON schema of a bundle's ``lapstrake.toml``."""

from __future__ import annotations

from typing import Any


def bundle_schema() -> dict[str, Any]:
    """The schema, keys in the order of the format."""
    from lapstrake.bundle.native_model import NativeBundle

    return {**NativeBundle.model_json_schema(), "title": "lapstrake.toml"}
