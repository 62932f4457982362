"""The values of grouping: a graph of packages, what is known of them, and the groups made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One package of a closure.

    Attributes:
        name: names it in the graph (a package's name, or a store path).
        label: what popularity is looked up by.
        source: what it changes together with: its source package.
        size: bytes.
        references: names it refers to at run time; itself may be among them.
        closure_size: bytes of all that it reaches, itself included; 0 when it is not known.
    """

    name: str
    label: str = ""
    source: str = ""
    size: int = 0
    references: tuple[str, ...] = ()
    closure_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A closure: its nodes by name, and those that were asked for."""

    nodes: Mapping[str, Node]
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What decisions rest on besides the graph; the same data gives the same groups.

    Attributes:
        popularity: label → weight.
        rates: source → expected updates in a week; 0 says that there will be none.
        sizes: name → bytes, used instead of the nodes' own so that today's cannot flip a group.
        unseen: the rate of sources that `rates` does not name: having rested so far is no promise.
    """

    popularity: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    unseen: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The packages of one layer.

    Attributes:
        members: names, sorted.
        reason: why they are together, for people.
        rating: what orders groups in the manifest, highest first.
    """

    members: tuple[str, ...]
    reason: str
    rating: float = 0.0
