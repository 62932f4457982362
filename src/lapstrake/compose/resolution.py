"""What apt would install, as values: asked for in `lapstrake.compose.resolve`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One package that apt would install.

    Attributes:
        name: its name.
        version: its version.
        arch: its architecture, ``all`` among them.
        sha256: of the package file.
        size: bytes of the package file.
        old: the version that it replaces; empty when there is none.
    """

    name: str
    version: str
    arch: str
    sha256: str = ""
    size: int = 0
    old: str = ""

    @property
    def exactly(self) -> str:
        """As apt names this one package and no other."""
        arch = "" if self.arch == "all" else f":{self.arch}"
        return f"{self.name}{arch}={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What apt would do.

    Attributes:
        items: what it would install.
        removed: names of what it would remove.
        asked: those of the items that fulfil the wish themselves; the others come along
            (`Item.exactly`).
    """

    items: tuple[Item, ...]
    removed: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items or self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """In which order apt would go about it.

    Attributes:
        items: what it would install, the first to be unpacked first.
        early: names, call by call, of what it configures before it has unpacked all the rest,
            because others have it in their ``Pre-Depends``.
    """

    items: tuple[Item, ...]
    early: tuple[tuple[str, ...], ...] = ()
