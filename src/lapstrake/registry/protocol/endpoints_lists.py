"""Lists: tags, the catalogue, referrers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lapstrake.blobs.referrers import referrers
from lapstrake.oci.descriptors import OCI_INDEX
from lapstrake.registry.answers import API_VERSION, list_page
from lapstrake.registry.names import digest_of
from lapstrake.registry.problems import Problem
from lapstrake.registry.protocol.core import Core
from lapstrake.registry.protocol.repositories import Repository, pushed_names

_REFERRERS_AT_ONCE = 1000
"""So that an answer stays far below the 4 MiB that the specification allows."""


@dataclass(frozen=True, slots=True)
class ListEndpoints:
    """``/v2/_catalog``, ``/v2/NAME/tags/list`` and ``/v2/NAME/referrers/DIGEST``."""

    core: Core

    def routes(self) -> list[Route]:
        """What is asked, and who answers."""
        return [
            Route("/v2/", self.version),
            Route("/v2", self.version),
            Route("/v2/_catalog", self.catalogue),
            Route("/v2/{name:path}/tags/list", self.tags),
            Route("/v2/{name:path}/referrers/{digest}", self.referrers),
        ]

    async def version(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """Whether there is a registry, and whether the client may use it."""
        return JSONResponse({}, headers=API_VERSION)

    async def catalogue(self, request: Request) -> Response:
        """All names that were pushed or made."""
        pushed = await self.core.look(pushed_names, self.core.blobs)
        made = [] if self.core.demand is None else self.core.demand.names()
        page, link = list_page(request, sorted({*pushed, *made}))
        return JSONResponse({"repositories": list(page)}, headers={**API_VERSION, **link})

    async def tags(self, request: Request) -> Response:
        """A repository's tags."""
        repository = self.core.repository(request)
        tags = await self._tags(repository)
        page, link = list_page(request, tags)
        document = {"name": repository.name, "tags": list(page)}
        return JSONResponse(document, headers={**API_VERSION, **link})

    async def referrers(self, request: Request) -> Response:
        """The manifests whose subject is this digest, as an index; empty when there are none."""
        repository = self.core.repository(request)
        subject = digest_of(request.path_params["digest"])
        within = repository.within if self.core.is_pushed(repository.name) else ""
        found = await self.core.look(lambda: referrers(self.core.blobs, subject, within=within))
        wanted, headers = request.query_params.get("artifactType"), dict(API_VERSION)
        if wanted is not None:
            found = tuple(each for each in found if each.get("artifactType") == wanted)
            headers["OCI-Filters-Applied"] = "artifactType"
        page, link = _referrers_page(request, found)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": page}
        return JSONResponse(index, headers={**headers, **link}, media_type=OCI_INDEX)

    async def _tags(self, repository: Repository) -> list[str]:
        if self.core.is_pushed(repository.name):
            tags = await self.core.look(repository.tags)
            known = bool(tags) or await self.core.look(repository.exists)
        else:
            tags = [] if self.core.demand is None else self.core.demand.tags(repository.name)
            known = bool(tags)
        if not known:
            raise Problem(404, "NAME_UNKNOWN", f"there is no repository {repository.name}")
        return tags


def _referrers_page(
    request: Request, found: tuple[dict[str, Any], ...]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Cut the list, which is sorted by digest, to what one answer may hold."""
    last = request.query_params.get("last", "")
    rest = [each for each in found if each["digest"] > last]
    page = rest[:_REFERRERS_AT_ONCE]
    if len(page) == len(rest):
        return page, {}
    url = request.url.include_query_params(last=page[-1]["digest"])
    return page, {"Link": f'<{url.path}?{url.query}>; rel="next"'}
