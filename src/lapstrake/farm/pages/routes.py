"""The farm's pages: whole without scripts, alive with them."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.pages.groups import group_routes
from lapstrake.farm.pages.history import history_routes
from lapstrake.farm.pages.login import login_routes
from lapstrake.farm.pages.logs import log_routes
from lapstrake.farm.pages.making import making_routes
from lapstrake.farm.pages.overview import overview_routes
from lapstrake.farm.pages.site import FOLDER, Site
from lapstrake.farm.pages.stock import stock_routes
from lapstrake.farm.pages.submit import submit_routes
from lapstrake.farm.pages.tasks import task_routes
from lapstrake.farm.pages.tokens import token_routes
from lapstrake.farm.pages.workers import worker_routes
from lapstrake.registry.demand.demand import Demand


def page_routes(
    desk: Desk, contents: Contents, tokens: Tokens, demand: Demand | None = None
) -> list[BaseRoute]:
    """The routes of all pages; the gate of `lapstrake.farm.access` stands before them.

    Args:
        desk: knows and changes all states.
        contents: takes uploads.
        tokens: who may do what.
        demand: makes images; ``None`` when nothing does.
    """
    site = Site(desk=desk, contents=contents, tokens=tokens, demand=demand)
    shared: list[str | tuple[str, str]] = [
        ("lapstrake.web", "static"),
        ("lapstrake.registry.pages", "static"),
    ]
    return [
        *overview_routes(site),
        *task_routes(site),
        *log_routes(site),
        *group_routes(site),
        *worker_routes(site),
        *history_routes(site),
        *stock_routes(site),
        *making_routes(site),
        *submit_routes(site),
        *login_routes(site),
        *token_routes(site),
        Mount("/static", StaticFiles(directory=FOLDER / "static", packages=shared)),
    ]
