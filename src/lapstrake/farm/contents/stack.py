"""A branch's stack as it is sent: what a worker needs to have the same root as the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import Field

from lapstrake.names import Arch, BranchName, CacheKey
from lapstrake.place.state import BaseState, Instance

KeyText = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""A layer's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListText:
    """A branch's source list: how it is written (``list`` or ``sources``), and its text."""

    style: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackBase:
    """The base OS, see `lapstrake.place.state.BaseState`."""

    key: KeyText
    origin: str
    loaded: float

    def state(self, arch: Arch) -> BaseState:
        """As a place remembers it."""
        return BaseState(
            key=CacheKey(self.key), origin=self.origin, loaded=self.loaded, arch=arch.value
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInstance:
    """A branch's instance, see `lapstrake.place.state.Instance`."""

    base: KeyText
    layer: KeyText
    list_digest: str
    releases: Mapping[str, str]
    headers: Mapping[str, Mapping[str, str]]
    commits: tuple[str, ...] = ()
    reason: str = ""
    made: float = 0.0

    def state(self) -> Instance:
        """As a place remembers it."""
        row = asdict(self) | {"base": CacheKey(self.base), "layer": CacheKey(self.layer)}
        return Instance(**row)

    @classmethod
    def of(cls, instance: Instance) -> StackInstance:
        """What a place remembers, to be sent."""
        row = asdict(instance) | {"base": instance.base.hex, "layer": instance.layer.hex}
        return cls(**row)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackLayer:
    """A layer of the stack; its bytes are asked for by its key.

    Attributes:
        key: its key.
        kind: ``base`` or ``instance``.
        facts: what it was made from.
        size: bytes on disk.
    """

    key: KeyText
    kind: str
    facts: Mapping[str, Any]
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    """A layer as one file of the content store.

    Attributes:
        digest: of the file.
        size: its bytes.
        closed: the layer's folders that hide what is below them.
        made_by: the token of the worker that made it; empty for the server itself.
    """

    digest: str
    size: int
    closed: tuple[str, ...] = ()
    made_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRecipe:
    """How a base OS is made where the server has none, see `lapstrake.config.model.BaseConfig`.

    Attributes:
        method, suite, variant, packages, url: as there.
        checksum: of what `url` names, or empty.
        listed: the base OS' own source list.
    """

    method: str
    suite: str
    variant: str
    packages: tuple[str, ...] = ()
    url: str = ""
    checksum: str = ""
    listed: ListText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What the server decides for all workers.

    Attributes:
        maintainer: what packages name as theirs (``build.maintainer``).
        dependency_names: what AOSC's packages are called (``dependency_names``).
        base: how to make a base OS; ``None`` in what a worker sends.
    """

    maintainer: str = ""
    dependency_names: Mapping[str, str] = field(default_factory=dict)
    base: BaseRecipe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDocument:
    """A branch for one architecture.

    Attributes:
        branch: its name.
        arch: Debian's name.
        listed: its source list; ``None`` in what a worker sends.
        base: the base OS; ``None`` when nobody has made one yet.
        instance: the branch's own.
        served: whether the server itself keeps it fresh; otherwise workers do.
        layers: base and instance, lowest first; empty when there are none yet.
        settings: what the server decides.
        made_by: the token of the worker that made base and instance; empty for the server itself.
    """

    branch: str
    arch: str
    listed: ListText | None = None
    base: StackBase | None = None
    instance: StackInstance | None = None
    served: bool = False
    layers: tuple[StackLayer, ...] = ()
    settings: StackSettings = field(default_factory=StackSettings)
    made_by: str = ""

    @property
    def name(self) -> BranchName:
        """The branch's name."""
        return BranchName(self.branch)
