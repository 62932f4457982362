"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request
from starlette.types import Scope as Connection

from lapstrake.farm.values.scopes import Scope

_KEY = "lapstrake.viewer"
_RANKS = (Scope.READ, Scope.SUBMIT, Scope.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whoever sent a request.

    Attributes:
        name: the token's name; empty for nobody in particular.
        scopes: all that they may do, implied ones included.
        csrf: what a form of theirs must carry (``csrf``); empty when no cookie speaks for them.
    """

    name: str = ""
    scopes: frozenset[Scope] = frozenset()
    csrf: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether they may do what needs this."""
        return scope in self.scopes


def implied(scope: Scope) -> frozenset[Scope]:
    """A scope with those that it includes."""
    if scope is Scope.WORKER:
        return frozenset({Scope.WORKER})
    return frozenset(_RANKS[: _RANKS.index(scope) + 1])


EVERYTHING = frozenset(Scope)
"""What those may do who sit at the machine itself, as long as it has no tokens."""


def viewer_of(request: Request) -> Viewer:
    """Who sent it; the gate has found out."""
    return cast(Viewer, request.scope.get(_KEY) or Viewer())


def set_viewer(scope: Connection, viewer: Viewer) -> None:
    """Remember who sent a request, for `viewer_of` and the access log."""
    scope[_KEY] = viewer
    scope["user"] = viewer.name
