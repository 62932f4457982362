"""Whose roots others build in, for machines that the server is not: a worker's that is trusted so.

What builds run in, they are at the mercy of. Roots for the server's own machine are its own. Others
are those of the worker that made them first, or of the workers that the configuration names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lapstrake.farm.problems import NotAllowed, WrongState

_RESOLUTION = "Build in one's own roots, or set farm.root_makers on the server."


@dataclass(frozen=True, slots=True, kw_only=True)
class RootMakers:
    """Who may make roots for others.

    Attributes:
        named: the workers' tokens, as configured; empty for whoever comes first.
    """

    named: Collection[str]

    def may_make(self, worker: str) -> bool:
        """Whether others may build in what it makes."""
        return not self.named or worker in self.named

    def check(self, worker: str) -> None:
        """Refuse one that may not.

        Raises:
            NotAllowed: it may not.
        """
        if not self.may_make(worker):
            raise NotAllowed(
                f"{worker} may make no roots for others",
                resolution="Add it to farm.root_makers on the server, if it is trusted so far.",
            )

    def check_first(self, what: str, maker: str | None, worker: str) -> None:
        """Refuse one that comes second.

        Args:
            what: is made.
            maker: who made it before; empty for the server, ``None`` for nobody.
            worker: who would make it now.

        Raises:
            WrongState: somebody else has made it.
        """
        if maker not in {None, worker} and (not maker or self.may_make(maker)):
            raise WrongState(f"{what} is made by {maker or 'the server'}", resolution=_RESOLUTION)
