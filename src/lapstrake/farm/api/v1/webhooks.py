"""``/api/v1/webhooks``: who is told of what happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lapstrake.farm.api.listing import After, Limit
from lapstrake.farm.api.requests import Id, WebhookBody
from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.values.lists import Page
from lapstrake.farm.webhooks.base import Delivery, Webhook

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])


class NewWebhook(BaseModel):
    """A webhook that was just made; its secret is told this once."""

    webhook: Webhook
    secret: Annotated[str, Field(description="what deliveries are signed with")]


@router.post("", status_code=201)
def add(state: StateOf, viewer: ViewerOf, body: WebhookBody) -> NewWebhook:
    """Tell somebody of events from now on."""
    webhook, secret = state.webhooks.add(
        body.url, body.events, owner=viewer.name, secret=body.secret
    )
    return NewWebhook(webhook=webhook, secret=secret)


@router.get("")
def list_webhooks(state: StateOf) -> list[Webhook]:
    """All webhooks, oldest first; never their secrets."""
    return list(state.webhooks.all())


@router.delete("/{id}", status_code=204)
def remove(state: StateOf, id: Id) -> None:
    """Tell somebody no more."""
    state.webhooks.remove(id)


@router.get("/{id}/deliveries")
def deliveries(state: StateOf, id: Id, after: After = "", limit: Limit = 50) -> Page[Delivery]:
    """What was sent, and how it went, newest first."""
    return state.webhooks.deliveries(id, after=after, limit=limit)


@router.post("/{id}/ping", status_code=202)
def ping(state: StateOf, id: Id) -> Delivery:
    """Send something, to see whether it arrives."""
    return state.webhooks.ping(id)
