"""``/images/NAME:TAG`` and ``/jobs``: images that are made when somebody pulls them."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.pages.site import Site, page, shown, watched
from lapstrake.registry.pages.events import event_routes
from lapstrake.registry.pages.images import ImagePages


def pull_name(site: Site, package: str, arch: str, branch: str) -> str:
    """What a client of images pulls to get a package; empty where nothing makes images."""
    if site.demand is None:
        return ""
    machine = "" if arch in {"all", site.config.arch.value} else f"{arch}/"
    return f"{machine}{package.replace('+', '-plus')}:{branch}"


def making_routes(site: Site) -> list[BaseRoute]:
    """The routes of the registry's pages, in the farm's frame; none without a registry."""
    if site.demand is None:
        return []
    images = ImagePages(demand=site.demand, page=page)

    def seen(path: str, show: Callable[[Request], Response]) -> BaseRoute:
        return shown(site, path, lambda _site, request: show(request))

    return [
        seen("/images/{title:path}", images.one_image),
        *(watched(route) for route in event_routes(site.demand)),
        seen("/jobs/{number}", images.one_work),
        seen("/jobs/{number}/log", images.one_log),
    ]
