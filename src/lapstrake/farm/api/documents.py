"""What the API says of itself: which problems each call may answer with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from lapstrake.farm.api.answers import MEDIA_TYPE
from lapstrake.farm.problems import PROBLEMS

Responses = dict[int | str, dict[str, Any]]


class ProblemDocument(BaseModel):
    """RFC 9457: what is wrong, and what to do about it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    resolution: str
    instance: str


_TITLES = {kind.status: kind.title for kind in PROBLEMS}
_EVERYWHERE = (400, 401, 403, 404, 405, 413, 422, 429, 500, 503)


def problems(*more: int) -> Responses:
    """The problems of a call: those of every one, and its own."""
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        status: {
            "description": _TITLES.get(status, "Problem"),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted({*_EVERYWHERE, *more})
    }


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """Complete the OpenAPI document with what is the same for all calls."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["ProblemDocument"] = ProblemDocument.model_json_schema()
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    return document
