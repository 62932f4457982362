"""``/branches``, ``/branches/NAME`` and ``/images``: what the farm has made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from lapstrake.farm.contents.branches import apt_sources, branch_facts, branch_packages, one_branch
from lapstrake.farm.contents.images import ImageFacts, ImageStore, LayerFacts, image_store
from lapstrake.farm.pages.lists import SHOWN, query_of
from lapstrake.farm.pages.making import pull_name
from lapstrake.farm.pages.site import Site, page, shown
from lapstrake.registry.pages.images import ImagePages
from lapstrake.web.pages import address

BAR = 1000
"""Of the picture of an image, in its own units."""
_THINNEST = 3.0
_MATRIX = 40
_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A layer in the picture of an image."""

    layer: LayerFacts
    left: float
    width: float


def stock_routes(site: Site) -> list[BaseRoute]:
    """The routes of branches and images."""
    return [
        shown(site, "/branches", _branches),
        shown(site, "/branches/{name}.sources", _sources),
        shown(site, "/branches/{name}", _branch),
        shown(site, "/images", _images),
    ]


def segments(image: ImageFacts, store: ImageStore, largest: int) -> Sequence[Segment]:
    """An image as a bar, as long as its share of the largest one."""
    rows, left = [], 0.0
    for digest in image.layers:
        layer = store.layers[digest]
        width = max(layer.size / max(largest, 1) * BAR, _THINNEST)
        rows.append(Segment(layer=layer, left=round(left, 2), width=round(width, 2)))
        left += width
    scale = min(BAR / left, 1.0) if left else 1.0
    return [
        Segment(layer=row.layer, left=round(row.left * scale, 2), width=round(row.width * scale, 2))
        for row in rows
    ]


def _branches(site: Site, request: Request) -> Response:
    return page(request, "branches.html", branches=branch_facts(site.config))


def _branch(site: Site, request: Request) -> Response:
    branch = one_branch(site.config, request.path_params["name"])
    query = query_of(request, ("name",))
    listed = branch_packages(
        site.config,
        branch.name,
        text=query.fields["name"],
        after=query.after,
        limit=SHOWN,
    )
    first = next(iter(listed.items), None)
    pulled = "" if first is None else pull_name(site, first.name, first.arch, branch.name)
    return page(request, "branch.html", branch=branch, listed=listed, query=query, pulled=pulled)


def _sources(site: Site, request: Request) -> Response:
    return PlainTextResponse(
        apt_sources(site.config, request.path_params["name"], address(request))
    )


def _images(site: Site, request: Request) -> Response:
    store = image_store(site.config)
    largest = max((image.size for image in store.images), default=0)
    shared = sorted(
        (layer for layer in store.layers.values() if layer.images > 1),
        key=lambda layer: (-layer.images * layer.size, layer.digest),
    )
    return page(
        request,
        "images.html",
        store=store,
        bars=[(image, segments(image, store, largest)) for image in store.images],
        shared=shared[:_MATRIX],
        names={layer.digest: _names(store, layer) for layer in shared[:_MATRIX]},
        more=max(len(shared) - _MATRIX, 0),
        width=BAR,
        pulled=_pulled(site),
        latest=site.config.registry.branch,
        work=None if site.demand is None else ImagePages(demand=site.demand, page=page).work(),
    )


def _pulled(site: Site) -> Mapping[str, str]:
    """The names by which images were pulled: an image's key → ``NAME:TAG``."""
    records = () if site.demand is None else site.demand.records.all()
    return {key: record.title for record in records for key in record.manifests.keys.values()}


def _names(store: ImageStore, layer: LayerFacts) -> list[str]:
    """The first images that have a layer."""
    names = [image.name for image in store.images if layer.digest in image.layers]
    more = len(names) - _NAMED
    return [*names[:_NAMED], *([f"{more} more"] if more > 0 else [])]
