"""What forges have in common, and what not: addresses, tokens, and what their refusals mean."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lapstrake.artifact.base import Forge, ReleaseSite
from lapstrake.artifact.sites.base import Terms
from lapstrake.artifact.sites.secrets import Token, first_token, is_trusted
from lapstrake.errors import ArtifactError

if TYPE_CHECKING:
    from lapstrake.source.job import AttemptError

_PATIENCE = 30
"""Seconds that are waited when a server asks for them; more is told instead."""
_PROGRAM_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeKind:
    """How one kind of forge differs from the others.

    Attributes:
        web: the public one's address.
        api: the public one's API; empty when it is found as others' are.
        api_path: where others have their API.
        accept: the type of the API's documents.
        scheme: the word before a token.
        asset: the key of an asset's address that heeds a token.
        variables: of tokens for the public one, and for the one that `server` names.
        elsewhere: of tokens for other ones.
        server: the variable that names the one that `variables` are for.
    """

    web: str
    api: str = ""
    api_path: str
    accept: str
    scheme: str
    asset: str
    variables: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    server: str


KINDS = {
    Forge.GITHUB: ForgeKind(
        web="https://github.com",
        api="https://api.github.com",
        api_path="/api/v3",
        accept="application/vnd.github+json",
        scheme="Bearer",
        asset="url",
        variables=("GITHUB_TOKEN", "GH_TOKEN"),
        elsewhere=("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"),
        server="GITHUB_SERVER_URL",
    ),
    Forge.GITEA: ForgeKind(
        web="https://gitea.com",
        api_path="/api/v1",
        accept="application/json",
        scheme="token",
        asset="browser_download_url",
        variables=("GITEA_TOKEN",),
        server="GITEA_SERVER_URL",
    ),
}
"""GitHub's tokens are for github.com or the server that CI names; one for Gitea, whose servers are
everybody's own, is for any unless a server is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who we are for a forge.

    Attributes:
        kind: of the forge.
        token: ours, or ``None``.
        wanted: the variable to set for one.
    """

    kind: ForgeKind
    token: Token | None
    wanted: str

    def headers(self) -> dict[str, str]:
        """What tells the forge."""
        return {"Authorization": f"{self.kind.scheme} {self.token.value}"} if self.token else {}

    def explain(self, refused: AttemptError) -> str:
        """Say what a refusal means; empty for what is no matter of accounts."""
        if refused.status in (403, 429) and (limit := _limit(refused.headers)):
            return limit + ("" if self.token else f"; set {self.wanted} for a higher one")
        if refused.status not in (401, 403):
            return ""
        if self.token is None:
            return f"refused with status {refused.status}; set {self.wanted}"
        return f"the token of {self.token.origin} was refused with status {refused.status}"


def web_address(site: ReleaseSite) -> str:
    """Where people look at the forge; a bare host gets https."""
    url = (site.url or KINDS[site.forge].web).rstrip("/")
    return url if "://" in url else f"https://{url}"


def api_address(site: ReleaseSite) -> str:
    """Where programs ask it."""
    kind, web = KINDS[site.forge], web_address(site)
    return kind.api if kind.api and web == kind.web else web + kind.api_path


def account_of(site: ReleaseSite, terms: Terms, *, ask_program: bool = False) -> Account:
    """Find the token for a site: the forge's variables, the site's own, then its program's.

    Args:
        site: the site.
        terms: our environment, and who is trusted with what is in it.
        ask_program: ask ``gh auth token`` when there is no other.

    Raises:
        SiteError: a token cannot be sent.
    """
    kind, web, environment = KINDS[site.forge], web_address(site), terms.environment
    named = environment.get(kind.server, "").rstrip("/")
    public = web in (kind.web, named) or (not named and not kind.elsewhere)
    variables = kind.variables if public else kind.elsewhere
    known = not site.foreign or is_trusted(web, terms.trusted)
    if not known and web not in (kind.web, named):
        wanted = f"artifacts.trusted to {urlsplit(web).netloc}, if it may know your token"
        return Account(kind=kind, token=None, wanted=wanted)
    token = first_token(variables, site.token if known else "", environment)
    if token is None and ask_program and site.forge is Forge.GITHUB:
        token = _program_token(web, environment)
    return Account(kind=kind, token=token, wanted=next(iter(variables), "the site's token"))


def _program_token(web: str, environment: Mapping[str, str]) -> Token | None:
    """The token of GitHub's program, if it is here and its user has logged in."""
    from lapstrake.host.process import find_program, run

    if find_program("gh") is None:
        return None
    host = urlsplit(web).netloc.rpartition("@")[2]
    try:
        asked = run(
            ["gh", "auth", "token", "--hostname", host],
            timeout=_PROGRAM_SECONDS, error=ArtifactError, env=dict(environment),
        )  # fmt: skip
    except ArtifactError:  # not logged in
        return None
    return first_token(("gh auth token",), "", {"gh auth token": asked.text.strip()})


def _limit(headers: Mapping[str, str]) -> str:
    """What the headers of a refusal say about asking too often."""
    if headers.get("x-ratelimit-remaining") == "0":
        reset = _number(headers.get("x-ratelimit-reset", ""))
        return "its rate limit is used up" + (_until(reset) if reset else "")
    after = _number(headers.get("retry-after", ""))
    return "asked too often" + _until(time.time() + after) if after > _PATIENCE else ""


def _number(text: str) -> int:
    """A number of a header; 0 for what is none, or of no time that a calendar has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 11 else 0


def _until(moment: float) -> str:
    minutes = max(0, round((moment - time.time()) / 60))
    return f" until {time.strftime('%H:%M:%S', time.localtime(moment))} (in {minutes} min)"
