"""``/api/v1/tokens``: who may do what."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from lapstrake.farm.access.tokens import Token
from lapstrake.farm.api.requests import Text, TokenBody
from lapstrake.farm.api.state import StateOf, ViewerOf

router = APIRouter(prefix="/api/v1/tokens", tags=["tokens"])


class NewToken(BaseModel):
    """A token that was just made; its secret is told this once."""

    token: Token
    secret: str


@router.post("", status_code=201)
def add(state: StateOf, body: TokenBody) -> NewToken:
    """Make a token."""
    token, secret = state.tokens.add(body.name, body.scope, seconds=body.seconds)
    return NewToken(token=token, secret=secret)


@router.get("")
def list_tokens(state: StateOf) -> list[Token]:
    """All tokens, by name; never their secrets."""
    return list(state.tokens.all())


@router.delete("/{name}", status_code=204)
def remove(state: StateOf, viewer: ViewerOf, name: Text) -> None:
    """Take a token back; it means nothing from now on. The one that is shown stays."""
    state.tokens.remove(name, by=viewer.name)
