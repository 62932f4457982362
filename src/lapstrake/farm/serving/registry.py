"""The registry within the farm's server: the same images, jobs and locks as ``registry serve``."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.local import LocalBlobs
from lapstrake.blobs.open import open_blobs
from lapstrake.config.model import RegistryConfig
from lapstrake.errors import LapstrakeError
from lapstrake.farm.access.proofs import ANYBODY, Proofs
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.api.answers import problem_answer, retry_after
from lapstrake.farm.api.state import Check
from lapstrake.farm.problems import NoToken, Problem
from lapstrake.formats.amounts import size_text
from lapstrake.place.workplace import Workplace
from lapstrake.registry import answers
from lapstrake.registry.access.tokens import LIFETIME, TOKEN, challenge, token_answer
from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.demand.forget import forget_unused
from lapstrake.registry.problems import Problem as RegistryProblem
from lapstrake.registry.protocol.collect import collect_blobs
from lapstrake.registry.protocol.core import Core, is_ours
from lapstrake.registry.serving.app import protocol_app, running
from lapstrake.registry.serving.settings import check_namespaces
from lapstrake.web.signed import Seal

_LOG = logging.getLogger("lapstrake.farm.serving")
_PATHS = re.compile(rf"/v2(/|\Z)|{TOKEN}\Z")
_SENDING = frozenset({"POST", "PUT", "PATCH"})
_WORDS = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The registry of a farm.

    Attributes:
        core: what the protocol's answers are made of.
        demand: makes images.
    """

    core: Core
    demand: Demand

    def forget(self, *, unused: float, grace: float) -> None:
        """Forget names that nobody pulled, and remove blobs that nothing needs any more.

        A bucket is left alone: others may use it, and whoever runs them collects there.

        Args:
            unused: seconds for which nobody did.
            grace: seconds for which blobs stay all the same.
        """
        blobs = self.core.blobs
        if isinstance(blobs, LocalBlobs):
            names = forget_unused(blobs, seconds=unused)
            gone = collect_blobs(blobs, grace=grace)
            if names or gone.size:
                text = size_text(gone.size)
                _LOG.info("forgot %d images that nobody pulled; removed %s", len(names), text)


def open_registry(place: Workplace, overrides: Mapping[str, str]) -> Registry:
    """Open the store of images, and what makes those that are missing.

    Args:
        place: the server's own.
        overrides: settings of the command line, for the programs that make images.

    Raises:
        ConfigError: a setting of the registry is wrong.
        StoreError: the storage cannot be opened.
    """
    registry: RegistryConfig = place.config.registry
    check_namespaces(registry)
    blobs = open_blobs(place.config)
    demand = Demand(place, blobs, overrides=overrides)
    core = Core(
        blobs=blobs,
        demand=demand,
        namespaces=registry.namespaces,
        read_only=registry.read_only,
        redirect=registry.redirect,
        may_make=_may_make,
    )
    return Registry(core=core, demand=demand)


def storage_check(blobs: BlobStore) -> Check:
    """Whether the storage of images answers; a check of readiness."""

    def check() -> str:
        try:
            next(blobs.names("catalogue/"), None)
        except (LapstrakeError, OSError) as failed:
            return f"the storage of images: {failed}"
        return ""

    return check


@asynccontextmanager
async def in_service(registry: Registry | None) -> AsyncIterator[None]:
    """Have it do what goes on beside the requests, until the block ends."""
    if registry is None:
        yield
    else:
        async with running(registry.core):
            yield


def registry_proofs(tokens: Tokens, key: bytes) -> Proofs:
    """What clients of images show between two questions for a token."""
    return Proofs(tokens=tokens, seal=Seal(key=key, purpose="registry", seconds=LIFETIME))


def divided(registry: Registry, proofs: Proofs, others: ASGIApp, lacking: Check) -> ASGIApp:
    """Let the registry answer what is its own; the farm's gate stands before all of it.

    Args:
        registry: answers below ``/v2/``.
        proofs: what its clients show.
        others: answers everything else.
        lacking: why nothing can be taken now; empty when there is room.
    """
    images = protocol_app(registry.core, [Route(TOKEN, partial(_token, proofs))])

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _PATHS.match(scope["path"]):
            await others(scope, receive, send)
            return
        refused = _refused(scope, lacking)
        await (images if refused is None else refused)(scope, receive, send)

    return answer


def _refused(scope: Scope, lacking: Check) -> Response | None:
    """What to say instead of what the registry would; ``None`` to let it."""
    stranger = not viewer_of(Request(scope)).name
    if stranger and scope["path"] in {"/v2/", "/v2"} and not _shows_something(scope):
        # Docker's clients never send credentials to a registry that does not ask here.
        return _refusal(NoToken("nobody has shown a token"), scope, bearer=True)
    if scope["method"] in _SENDING and (lack := lacking()):
        return answers.problem_answer(RegistryProblem(507, "UNKNOWN", lack))
    return None


def refusal(anonymous: Callable[[], bool]) -> Callable[[Problem, Scope], Response]:
    """How the gate's problems are told: to clients of images in the words that they know.

    Args:
        anonymous: whether those without a token may look, and so get a proof of being nobody.
    """

    def answer(problem: Problem, scope: Scope) -> Response:
        if not _PATHS.match(scope["path"]):
            return problem_answer(problem, scope["path"])
        return _refusal(problem, scope, bearer=anonymous() and scope["path"] != TOKEN)

    return answer


def _refusal(problem: Problem, scope: Scope, *, bearer: bool) -> Response:
    headers, message = retry_after(problem), f"{problem.brief}. {problem.resolution}"
    if problem.status == 401:
        headers["WWW-Authenticate"] = challenge(scope, bearer=bearer)
        message = f"{problem.brief}: log in with the token as password, of any user"
    code = _WORDS.get(problem.status, "UNKNOWN")
    return answers.problem_answer(RegistryProblem(problem.status, code, message), headers)


def _token(proofs: Proofs, request: Request) -> Response:
    """A proof for clients that speak the token protocol."""
    token = proofs.tokens.named(viewer_of(request).name)
    return token_answer(ANYBODY if token is None else proofs.write(token))


def _may_make(request: Request) -> bool:
    """Those who show no token get what is there: strangers must not give the server work."""
    return bool(viewer_of(request).name) and is_ours(request)


def _shows_something(scope: Scope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])
