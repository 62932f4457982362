"""Webhooks and their deliveries as values, and how a delivery is signed."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake.farm.values.history import Event

PING = "ping"
"""The kind of a delivery that is made to see whether it arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Somebody who is told.

    Attributes:
        id: its number.
        url: where deliveries go.
        events: the kinds of events; ``task.*`` for all that begin so; none for all.
        owner: who asked for it.
        created: when.
    """

    id: int
    url: str
    events: tuple[str, ...] = ()
    owner: str = ""
    created: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to a webhook.

    Attributes:
        id: its number; the same at each try, so that receivers know it again.
        event: the event's number, 0 for a ping.
        kind: of the event.
        created: when.
        tries: how often it was tried.
        due: when it is tried next; 0 when it is over.
        status: the last answer's, 0 for none.
        error: why the last try failed; empty when it arrived.
    """

    id: int
    event: int
    kind: str
    created: float
    tries: int = 0
    due: float = 0.0
    status: int = 0
    error: str = ""


def wants(kinds: tuple[str, ...], event: Event) -> bool:
    """Whether a webhook for these kinds is told of an event."""
    return not kinds or any(
        event.kind.startswith(kind[:-1]) if kind.endswith("*") else event.kind == kind
        for kind in kinds
    )


def headers(
    *, kind: str, delivery: int, secret: str, moment: int, body: bytes
) -> Mapping[str, str]:
    """What a delivery is sent with.

    ``Lapstrake-Signature`` is ``v1=`` and the hexadecimal HMAC-SHA256, with the webhook's secret,
    of the timestamp, a dot and the body. Receivers compare it in constant time, and refuse old
    timestamps.
    """
    signature = hmac.digest(secret.encode(), b"%d." % moment + body, "sha256").hex()
    return {
        "Content-Type": "application/json",
        "Lapstrake-Event": kind,
        "Lapstrake-Delivery": str(delivery),
        "Lapstrake-Timestamp": str(moment),
        "Lapstrake-Signature": f"v1={signature}",
    }
