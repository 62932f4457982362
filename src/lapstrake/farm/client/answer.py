"""What a farm's server answers: values, or problems, raised here as they were raised there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from lapstrake.errors import FarmError
from lapstrake.farm.problems import PROBLEMS, Problem

if TYPE_CHECKING:
    import httpx2
    from pydantic import TypeAdapter

T = TypeVar("T")

RETRY_AFTER = "retry_after"
"""The field of a problem that has the seconds of its ``Retry-After``."""

_PROBLEM = "application/problem+json"
_OWN = frozenset({"type", "title", "status", "detail", "resolution", "instance"})
_GATEWAY = frozenset({502, 504})  # a proxy is there, the server is not
_SHOWN = 200
_ELSEWHERE = "Is farm.server the address of a farm, and of a version like this one's?"
_adapters: dict[Any, TypeAdapter[Any]] = {}


class UnreachableError(FarmError):
    """No server answers there, or the connection broke."""


def read(kind: type[T], body: bytes) -> T:
    """Read a value of `lapstrake.farm.values` from JSON, but for what this version does not know.

    Raises:
        FarmError: it is something else.
    """
    try:
        value = _adapter(kind).validate_json(body)
    except ValueError as wrong:
        raise FarmError(
            f"the server's answer is no {getattr(kind, '__name__', kind)}",
            details=f"{body[:_SHOWN].decode('utf-8', 'replace')}\n{wrong}",
            resolution=_ELSEWHERE,
        ) from wrong
    return value


def write(value: object) -> bytes:
    """A value of `lapstrake.farm.values`, or of JSON, as JSON."""
    from pydantic import TypeAdapter

    return TypeAdapter(Any).dump_json(value)


def problem_of(response: httpx2.Response) -> FarmError:
    """What a refusal says, as the error that the server raised; its body has been read."""
    document = _document(response)
    by_kind = {f"/problems/{each.kind}": each for each in PROBLEMS}
    by_status = {each.status: each for each in PROBLEMS}
    found = by_kind.get(str(document.get("type"))) or by_status.get(response.status_code)
    brief = str(document.get("detail") or document.get("title") or "") or _plainly(response)
    resolution = str(document.get("resolution") or ("" if document else _ELSEWHERE))
    if found is None:
        kind = UnreachableError if response.status_code in _GATEWAY else FarmError
        return kind(brief, resolution=resolution)
    fields = {name: value for name, value in document.items() if name not in _OWN}
    with contextlib.suppress(ValueError):
        fields[RETRY_AFTER] = float(response.headers.get("retry-after", ""))
    problem = found(brief, resolution=resolution, fields=fields)
    problem.details = _details(problem)
    return problem


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """What reads a type; kept, since making one takes milliseconds."""
    from pydantic import TypeAdapter

    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _document(response: httpx2.Response) -> Mapping[str, object]:
    if not response.headers.get("content-type", "").startswith(_PROBLEM):
        return {}
    try:
        document = json.loads(response.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _plainly(response: httpx2.Response) -> str:
    """What can be said of an answer that is no problem document: a proxy's, or no farm's."""
    where = response.headers.get("location", "")
    if response.is_redirect and where:
        return f"the server answers that it is elsewhere: {where}"
    return f"the server answers with status {response.status_code} {response.reason_phrase}"


def _details(problem: Problem) -> str:
    """The list of what is wrong, one line for each; see ``errors`` of the API's problems."""
    errors = problem.fields.get("errors")
    if not isinstance(errors, list):
        return ""
    return "\n".join(
        f"{each.get('where', '')}: {each.get('what', '')}" if isinstance(each, dict) else str(each)
        for each in errors
    )
