"""Requests that are remembered by their ``Idempotency-Key``, so that a repeated one does nothing.

The header is the one of the IETF's draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

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
        return _Made(change, RequestRow(owner=owner, key=key, content=digest, at=change.now))
    if row.content != digest:
        raise Invalid(
            "this Idempotency-Key came with another request before",
            resolution="Use a new key for each new request.",
        )
    return list(row.made)


class _Made(list[int]):
    """Numbers that the request's row learns as they are added; the first one keeps it."""

    def __init__(self, change: Change, row: RequestRow) -> None:
        super().__init__()
        self._change, self._row = change, row

    def append(self, number: int) -> None:
        self.extend([number])

    def extend(self, numbers: Iterable[int]) -> None:
        super().extend(numbers)
        self._row.made = list(self)
        self._change.session.add(self._row)
