"""Debian versions: what one looks like, and which of two is newer (deb-version(7))."""

from __future__ import annotations

import re
from typing import Any

# An empty revision ("1-") is none; dpkg allows ":" in an upstream version too, nobody uses it.
_VERSION = re.compile(r"(?:[0-9]{1,9}:)?[0-9][A-Za-z0-9.+~-]*(?<!-)\Z")


def is_version(text: str) -> bool:
    """Whether a text is a version that dpkg takes: ``[epoch:]upstream[-revision]``."""
    return len(text) <= 256 and _VERSION.match(text) is not None


def version_key(text: str) -> Any:  # noqa: ANN401 - python-debian's class is not typed
    """A key that sorts versions as ``dpkg --compare-versions`` does; the text must be a version."""
    from debian.debian_support import NativeVersion  # not at start-up

    return NativeVersion(text)


def compare_versions(left: str, right: str) -> int:
    """Compare two versions as dpkg does: negative when `left` is older, 0 when equal."""
    first, second = version_key(left), version_key(right)
    return int(first > second) - int(first < second)
