"""What the farm refuses, as problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lapstrake.errors import FarmError, VersionError

MEDIA_TYPE = "application/problem+json"
"""Of a problem's document."""


class Problem(FarmError):  # noqa: N818 - what RFC 9457 calls it
    """A request that cannot be granted; the API sends it, the client raises it again.

    Args:
        detail: what is wrong with this very request, one line.
        resolution: what to do about it.
        fields: more for programs (``errors``, ``state`` ...).
    """

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "The request makes no sense"

    def __init__(
        self, detail: str, *, resolution: str = "", fields: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(detail, resolution=resolution)
        self.fields = dict(fields or {})

    def document(self, instance: str) -> dict[str, object]:
        """The problem as RFC 9457 has it; our fields never hide its own.

        Args:
            instance: the path that was asked for.
        """
        return {
            **self.fields,
            "type": f"/problems/{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.brief,
            "resolution": self.resolution,
            "instance": instance,
        }


class NoToken(Problem):
    """There is no token, or it is no good."""

    status = 401
    kind = "no-token"
    title = "A token is needed"


class NotAllowed(Problem):
    """The token does not allow it."""

    status = 403
    kind = "not-allowed"
    title = "The token does not allow this"


class Unknown(Problem):
    """There is no such thing."""

    status = 404
    kind = "unknown"
    title = "There is no such thing"


class WrongState(Problem):
    """It cannot be done now, or not any more."""

    status = 409
    kind = "wrong-state"
    title = "It is in the wrong state for this"


class TooLarge(Problem):
    """More bytes than are taken."""

    status = 413
    kind = "too-large"
    title = "It is too large"


class Invalid(Problem):
    """A value is wrong."""

    status = 422
    kind = "invalid"
    title = "A value is wrong"


class OtherVersion(Problem):
    """A worker and its server speak different protocols; one has to be upgraded."""

    exit_code = VersionError.exit_code
    status = 426
    kind = "other-version"
    title = "Worker and server do not understand each other"


class TooMany(Problem):
    """Too many requests of one client."""

    status = 429
    kind = "too-many-requests"
    title = "Too many requests"


class Unavailable(Problem):
    """Not now: the database is away, or the server stops."""

    status = 503
    kind = "unavailable"
    title = "The server cannot answer now"


class NoRoom(Problem):
    """The server's disk is full."""

    status = 507
    kind = "no-room"
    title = "The server's disk is full"


PROBLEMS: tuple[type[Problem], ...] = (
    Problem,
    NoToken,
    NotAllowed,
    Unknown,
    WrongState,
    TooLarge,
    Invalid,
    OtherVersion,
    TooMany,
    Unavailable,
    NoRoom,
)
"""Every kind there is; what the documentation lists and the client looks up."""
