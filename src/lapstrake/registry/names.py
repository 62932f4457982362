"""The grammar of names, tags and digests (OCI distribution specification 1.1)."""

from __future__ import annotations

import re

from lapstrake.blobs.addresses import parse_digest
from lapstrake.names import Digest
from lapstrake.registry.problems import Problem

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
_LONGEST = 255


def repository_name(text: str) -> str:
    """Check a repository's name.

    Raises:
        Problem: ``NAME_INVALID``; the message says which part is wrong, and why.
    """
    if _NAME.match(text) and len(text) <= _LONGEST:
        return text
    raise Problem(400, "NAME_INVALID", f"the name {text!r} {_fault(text)}", {"name": text})


def tag_name(text: str) -> str:
    """Check a tag.

    Raises:
        Problem: ``TAG_INVALID``, which clients know though the specification does not list it.
    """
    if _TAG.match(text):
        return text
    message = f"{text!r} is no tag: letters, digits and . _ - (not first), at most 128"
    raise Problem(400, "TAG_INVALID", message, {"tag": text})


def digest_of(text: str) -> Digest:
    """Read a digest that a client sent.

    Raises:
        Problem: ``DIGEST_INVALID``.
    """
    digest = parse_digest(text)
    if digest is None:
        message = f"{text!r} is no digest: sha256 or sha512, a colon, hexadecimal digits"
        raise Problem(400, "DIGEST_INVALID", message, {"digest": text})
    return digest


def reference_of(text: str) -> Digest | str:
    """Read what names a manifest: a digest if there is a colon in it, else a tag.

    Raises:
        Problem: it is neither.
    """
    return digest_of(text) if ":" in text else tag_name(text)


def _fault(text: str) -> str:
    """Say what is wrong with a name."""
    if len(text) > _LONGEST:
        return f"has {len(text)} characters; {_LONGEST} is the most"
    wrong = next(part for part in text.split("/") if not re.match(rf"{_PART}\Z", part))
    if not wrong:
        return "has an empty part (a slash too many)"
    if wrong != wrong.lower():
        return f"has upper-case letters ({wrong!r}); names are lower-case"
    return f"has a part that is none ({wrong!r}): letters and digits, with . _ __ or - in between"
