"""Requests that are remembered by their ``Idempotency-Key``, so that a repeated one does nothing.

The header is the one of the IETF's draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from lapstrake.farm.desk.change import Change
from lapstrake.farm.problems import Invalid
from lapstrake.farm.tables.rows import RequestRow

_LONGEST = 200


def remembered(change: Change, owner: str, key: str, content: Mapping[str, object]) -> list[int]:
    """What an earlier request with the same key made.

    Args:
        change: in which the request is granted.
        owner: who asks; keys of others do not count.
        key: empty for none.
        content: what is asked for.

    Returns:
        the numbers of what was made; an empty list is to be filled with what is made now.

    Raises:
        Invalid: the key was used for another request.
    """
    if not key:
        return []
    if len(key) > _LONGEST or not key.isprintable():
        raise Invalid(f"an Idempotency-Key has at most {_LONGEST} characters that print")
    text = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()
    row = change.session.get(RequestRow, (owner, key))
    if row is None:
        made = _Made()
        row = RequestRow(owner=owner, key=key, content=digest, made=[], at=change.now)
        change.session.add(row)
        made.row = row
        return made
    if row.content != digest:
        raise Invalid(
            "this Idempotency-Key came with another request before",
            resolution="Use a new key for each new request.",
        )
    return list(row.made)


class _Made(list[int]):
    """Numbers that the request's row learns as they are added."""

    row: RequestRow

    def append(self, number: int) -> None:
        super().append(number)
        self.row.made = list(self)

    def extend(self, numbers: object) -> None:
        super().extend(numbers)  # type: ignore[arg-type]
        self.row.made = list(self)
