"""Which rule, and which knowledge, puts an image's packages into layers."""

from __future__ import annotations

from dataclasses import dataclass

from lapstrake.config.model import Config
from lapstrake.grouping.base import Graph, Group, Knowledge
from lapstrake.grouping.choose import group_packages
from lapstrake.grouping.plan import Plan
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


def grouping_of(config: Config, request: ImageRequest) -> Grouping:  # noqa: ARG001 - the plan's
    """The grouping that a request is for."""
    return Grouping(strategy=request.strategy.value)
