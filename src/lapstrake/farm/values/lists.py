"""Long lists, some at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some of a long list.

    Attributes:
        items: in the list's order.
        next: what to give as ``after`` for those that follow; ``None`` at the end.
    """

    items: tuple[T, ...]
    next: str | None = None
