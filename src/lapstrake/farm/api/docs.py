"""The API's description for people: its OpenAPI document as a page, from our own origin alone."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lapstrake import __version__
from lapstrake.farm.access.scopes import allowed_by
from lapstrake.farm.api.answers import Broken, NoMethod
from lapstrake.farm.problems import PROBLEMS
from lapstrake.web import pages

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of the API, for the page."""

    tag: str
    method: str
    path: str
    scope: str
    text: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Any
    answers: tuple[tuple[str, Any], ...]


@router.get("/api/v1/docs")
def docs(request: Request) -> Response:
    """Everything that can be asked, and what is answered."""
    document = request.app.openapi()
    text = (
        _templates()
        .get_template("docs.html")
        .render(
            version=__version__,
            tags=[
                (tag, list(calls))
                for tag, calls in groupby(calls(document), key=lambda call: call.tag)
            ],
            schemas=sorted(document["components"]["schemas"].items()),
            problems=(*PROBLEMS, NoMethod, Broken),
        )
    )
    return HTMLResponse(text, headers=pages.HEADERS)


@router.get("/problems/{kind}")
def problem(kind: str) -> Response:
    """What the type of a problem means."""
    return RedirectResponse(f"/api/v1/docs#problem-{kind}", status_code=303)


def calls(document: Mapping[str, Any]) -> list[Call]:
    """Every call of an OpenAPI document, by tag and path."""
    return sorted(_each_call(document), key=lambda call: (call.tag, call.path, call.method))


def _each_call(document: Mapping[str, Any]) -> Iterator[Call]:
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            content = said.get("requestBody", {}).get("content", {})
            scopes = allowed_by(method.upper(), path)
            yield Call(
                tag=said.get("tags", ["other"])[0],
                method=method.upper(),
                path=path,
                scope=" or ".join(sorted(scopes)),
                text=said.get("description", ""),
                parameters=tuple(said.get("parameters", ())),
                body={kind: value.get("schema") for kind, value in content.items()},
                answers=tuple(said["responses"].items()),
            )


@functools.cache
def _templates() -> Environment:
    return pages.templates(Path(__file__).with_name("templates"))
