"""What the API says of itself: which problems each call may answer with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from lapstrake.farm.api.answers import Broken, NoMethod
from lapstrake.farm.problems import MEDIA_TYPE, PROBLEMS, Problem

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


def problems() -> Responses:
    """The problems that any call may answer with."""
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    kinds: list[type[Problem]] = [*PROBLEMS, NoMethod, Broken]
    return {
        kind.status: {
            "description": kind.title,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for kind in sorted(kinds, key=lambda kind: kind.status)
    }


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """Complete the OpenAPI document with what is the same for all calls."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["ProblemDocument"] = ProblemDocument.model_json_schema()
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    return document
