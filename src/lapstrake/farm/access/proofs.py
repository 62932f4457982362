"""What browsers and clients of images show in place of a token, as long as that token is good.

A proof is signed, not kept: it names the token, and the token is looked up for each request, so
that a removed one ends all of its proofs.
"""

from __future__ import annotations

from dataclasses import dataclass

from lapstrake.farm.access.tokens import Token, Tokens
from lapstrake.web.signed import Seal

ANYBODY = "anybody"
"""The proof of those who showed no token: it allows what nobody in particular may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """Writes them, and knows whose they are.

    Attributes:
        tokens: what they stand for.
        seal: signs them; what was signed for another purpose is none of them.
    """

    tokens: Tokens
    seal: Seal

    def write(self, token: Token) -> str:
        """The proof of a token."""
        return self.seal.sign({"name": token.name, "created": token.created})

    def read(self, text: str) -> Token | None:
        """Whose it is; ``None`` when it is over, or not ours, or its token is gone."""
        claims = self.seal.read(text)
        token = None if claims is None else self.tokens.named(claims["name"])
        if claims is None or token is None or token.created != claims["created"]:
            return None
        return token
