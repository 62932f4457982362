"""Which rule, and which knowledge, puts an image's packages into layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lapstrake.config.model import Config
from lapstrake.errors import ConfigError
from lapstrake.grouping.base import Graph, Group, Knowledge
from lapstrake.grouping.choose import group_packages
from lapstrake.grouping.plan import Plan, parse_plan
from lapstrake.image.base import ImageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """How the packages of an image are grouped.

    Attributes:
        strategy: the rule.
        plan: the pinned plan, if there is one.
    """

    strategy: str
    plan: Plan | None = None

    @property
    def digest(self) -> str:
        """What groups depend on besides the closure and the request."""
        return self.plan.digest if self.plan else ""

    def groups(self, graph: Graph, budget: int) -> tuple[Group, ...]:
        """Put a closure into at most so many groups, highest rating first."""
        return group_packages(
            graph, Knowledge(), budget=budget, strategy=self.strategy, plan=self.plan
        )


def grouping_of(config: Config, request: ImageRequest) -> Grouping:
    """The grouping that a request is for.

    Raises:
        ConfigError: the plan of ``[images] plan`` cannot be read.
    """
    plan = read_plan(config.images.plan) if config.images.plan else None
    return Grouping(strategy=request.strategy.value, plan=plan)


def read_plan(path: Path) -> Plan:
    """Read a plan's file; one that has not changed is not read again.

    Raises:
        ConfigError: it is not there, or no plan.
    """
    try:
        stat = path.stat()
        return _read_plan(path, stat.st_mtime_ns, stat.st_ino)
    except OSError as missing:
        raise ConfigError(
            f"images.plan: {path}: {missing.strerror}",
            resolution="Make a plan with `lapstrake image plan`, or take the setting out.",
        ) from missing


@lru_cache(maxsize=4)
def _read_plan(path: Path, _changed: int, _inode: int) -> Plan:
    return parse_plan(path.read_bytes(), name=str(path))
