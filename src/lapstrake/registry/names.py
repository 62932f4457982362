"""Names, tags and digests as clients send them."""

from __future__ import annotations

from lapstrake.blobs.addresses import parse_digest
from lapstrake.names import Digest
from lapstrake.oci.grammar import LONGEST_NAME, TAG_RULE, is_tag, name_fault
from lapstrake.registry.problems import Problem

_SHOWN = 60  # characters of a name that is too long; clients show the whole message


def repository_name(text: str) -> str:
    """Check a repository's name.

    Raises:
        Problem: ``NAME_INVALID``; the message says which part is wrong, and why.
    """
    fault = name_fault(text)
    if fault:
        shown = text if len(text) <= LONGEST_NAME else f"{text[:_SHOWN]}…"
        raise Problem(400, "NAME_INVALID", f"the name {shown!r} {fault}", {"name": shown})
    return text


def tag_name(text: str) -> str:
    """Check a tag.

    Raises:
        Problem: ``TAG_INVALID``, which clients know though the specification does not list it.
    """
    if is_tag(text):
        return text
    message = f"{text!r} is no tag: {TAG_RULE}"
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
