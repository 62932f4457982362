"""What each request needs to be allowed; one table, so that nothing is forgotten."""

from __future__ import annotations

import re

from lapstrake.farm.values.scopes import Scope

OPEN = frozenset({"/health", "/ready", "/login", "/logout"})
"""What everybody may ask for."""

_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_ID = r"[^/]+"

_WORKERS = re.compile(
    rf"/api/v1/(tasks/{_ID}/(claim|attempts/{_ID}/.+)|workers/register"
    rf"|workers/{_ID}/(heartbeat|goodbye)|layers/.+|branches/{_ID}/stack|sources)\Z"
)
_BOTH = re.compile(r"/api/v1/(uploads(/.*)?|content/.*)\Z")
"""What users do as well as workers: sending bytes."""
_ADMINS = re.compile(
    rf"/api/v1/(tokens(/.*)?|webhooks(/.*)?|workers/{_ID}(/(drain|resume))?)\Z|/tokens(/.*)?\Z"
)
_LOOKED_AT_BY_WORKERS = re.compile(
    r"/api/v1/(branches/.*|layers/.*|sources/.*|content/.*|uploads/.*)\Z|/(repository|artifacts)/.*\Z"
)


def allowed_by(method: str, path: str) -> frozenset[Scope]:
    """The scopes of which one is needed; empty for none at all."""
    looking = method in _LOOKING
    if path in OPEN or path.startswith("/static/"):
        return frozenset()
    if looking and _LOOKED_AT_BY_WORKERS.match(path):
        return frozenset({Scope.READ, Scope.WORKER})
    if not looking and _WORKERS.match(path):
        return frozenset({Scope.WORKER})
    if _BOTH.match(path):
        return frozenset({Scope.SUBMIT, Scope.WORKER})
    if _ADMINS.match(path) and not (looking and path.startswith("/api/v1/workers/")):
        return frozenset({Scope.ADMIN})
    return frozenset({Scope.READ if looking else Scope.SUBMIT})
