"""An exact revision, as version control says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a name stands for at the moment.

    Attributes:
        exact: a revision that means the same for ever.
        moves: whether the name is one that moves by nature, such as a branch.
    """

    exact: str
    moves: bool
