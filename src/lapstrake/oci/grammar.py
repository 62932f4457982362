"""The grammar of names and tags (OCI distribution specification 1.1, "Pulling manifests"); pure."""

from __future__ import annotations

import re

LONGEST_NAME = 255
"""Characters of a name; with the host's, where there is one."""

TAG_RULE = "letters, digits and . _ - (at most 128, first no . and no -)"
"""The grammar of tags for people."""

_PART_TEXT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PART = re.compile(rf"{_PART_TEXT}\Z")
_NAME = re.compile(rf"{_PART_TEXT}(?:/{_PART_TEXT})*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")


def is_name(text: str) -> bool:
    """Whether this is a name, but for its length."""
    return _NAME.match(text) is not None


def is_tag(text: str) -> bool:
    """Whether this is a tag."""
    return _TAG.match(text) is not None


def name_fault(text: str) -> str:
    """Say what is wrong with a name, to go on after it; empty when nothing is.

    >>> name_fault("a//b"), name_fault("a/B"), name_fault("a/b")
    ('has an empty part (a slash too many)', "has upper-case letters ('B')", '')
    """
    if len(text) > LONGEST_NAME:
        return f"has {len(text)} characters, {LONGEST_NAME} are the most; declare a set of packages"
    if is_name(text):
        return ""
    wrong = next(part for part in text.split("/") if not _PART.match(part))
    if not wrong:
        return "has an empty part (a slash too many)"
    if wrong != wrong.lower():
        return f"has upper-case letters ({wrong!r})"
    return f"has a part that is none ({wrong!r}): letters and digits, with . _ __ or - in between"
