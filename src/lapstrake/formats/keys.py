"""Cache keys: SHA-256 over canonical JSON (RFC 8785's idea: sorted keys, no blanks, UTF-8)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from lapstrake.names import CacheKey

KEY_VERSION = 1
"""Raised on purpose when the meaning of any key changes; golden tests hold it."""

Canonical: TypeAlias = "bool | int | str | Sequence[Canonical] | Mapping[str, Canonical] | None"
"""What a key may be made of: no floats, whose text is not canonical."""


def canonical_json(value: Canonical) -> bytes:
    """Encode a value in the one way that equal values share."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def cache_key(kind: str, inputs: Mapping[str, Canonical]) -> CacheKey:
    """Hash the inputs of something of a kind (``base``, ``instance``, ``dependencies`` ...)."""
    document: dict[str, Canonical] = {"version": KEY_VERSION, "kind": kind, "inputs": inputs}
    return CacheKey(hashlib.sha256(canonical_json(document)).hexdigest())
