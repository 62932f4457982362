"""What a registry says: answers, refusals, and connections that broke."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapstrake.errors import RegistryError

if TYPE_CHECKING:
    import httpx2

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""The answers after which it may work another time."""
_LARGEST_ANSWER = 8 << 20
_LONGEST_PAUSE = 20.0


class Broken(Exception):  # noqa: N818 - says what is the matter
    """A connection broke, or the registry cannot now; the text says what happened.

    Args:
        text: what happened.
        wish: the seconds that the registry wants to be left alone.
    """

    def __init__(self, text: str, wish: float = 0.0) -> None:
        super().__init__(text)
        self.wish = wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a registry said: the status, headers by lower-case name, the body, and who said it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


def refusal(answer: Answer, doing: str) -> RegistryError:
    """What a registry said in place of doing it."""
    try:
        errors = json.loads(answer.body)["errors"]
        details = "\n".join(f"{each.get('code')}: {each.get('message', '')}" for each in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        details = answer.body[:500].decode("utf-8", "replace")
    denied = answer.status in (401, 403)
    return RegistryError(
        f"{doing}: the registry answers with status {answer.status}",
        details=details,
        resolution="Log in with docker login, or see whether you may do that there."
        if denied
        else "",
    )


def wished_pause(answer: Answer) -> float:
    """How many seconds a registry wants to be left alone (RFC 9110, ``Retry-After``)."""
    after = answer.headers.get("retry-after", "")
    seconds = after.isascii() and after.isdigit()
    return min(float(after[:9]), _LONGEST_PAUSE) if seconds else 0.0


def answer_of(response: httpx2.Response) -> Answer:
    """Read an answer to its end.

    Raises:
        Broken: it is too long.
    """
    return Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=_read(response),
        url=str(response.url),
    )


def _read(response: httpx2.Response) -> bytes:
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _LARGEST_ANSWER:
            raise Broken(f"an answer of more than {_LARGEST_ANSWER} bytes")
    return body
