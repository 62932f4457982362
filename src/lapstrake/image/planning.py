"""Which rule, and which knowledge, puts an image's packages into layers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lapstrake.config.model import Config, Strategy
from lapstrake.errors import ConfigError
from lapstrake.grouping.base import Graph, Group, Knowledge
from lapstrake.grouping.choose import group_packages
from lapstrake.grouping.plan import Plan, parse_plan
from lapstrake.image.base import ImageRequest
from lapstrake.image.branch_plan import POPULARITY, ensure_kept, find_kept, kept_name
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """How the packages of an image are grouped.

    Attributes:
        strategy: the rule.
        budget: the most layers of the whole image; it says which recipe of a plan is followed.
        file: what the rule knows: a plan, or for Nixery's rule a table of popularity.
        digest: of that file; what groups depend on besides the closure and the request.
    """

    strategy: Strategy
    budget: int
    file: Path | None = None
    digest: str = ""

    def groups(self, graph: Graph, room: int) -> tuple[Group, ...]:
        """Put a closure into at most so many groups, highest rating first.

        Raises:
            ConfigError: the plan is none.
        """
        knowledge, plan = Knowledge(), None
        if self.file is not None and self.strategy is Strategy.NIXERY:
            knowledge = Knowledge(popularity=json.loads(self.file.read_bytes()))
        elif self.file is not None:
            plan = self._plan(self.file)
        return group_packages(graph, knowledge, budget=room, strategy=self.strategy, plan=plan)

    def _plan(self, file: Path) -> Plan:
        """The plan, with one recipe: the base OS and the configuration shall not change it."""
        plan = parse_plan(file.read_bytes(), name=str(file))
        recipe = plan.recipe(self.budget)
        return Plan(
            recipes=(recipe,) if recipe else (), knowledge=plan.knowledge, digest=plan.digest
        )


def known_grouping(place: Workplace, request: ImageRequest) -> Grouping | None:
    """The grouping that a request is for, told at once; ``None`` while it is still to be learnt.

    Args:
        place: that of the request's architecture.
        request: what is wanted.

    Raises:
        ConfigError: the plan of ``[images] plan`` cannot be read.
    """
    if _pinned(place.config, request):
        return _grouping(request, place.config.images.plan)
    if request.source != "branch":
        return _grouping(request, None)
    found = find_kept(place, BranchName(request.tag), _kept_name(request))
    return _grouping(request, found) if found else None


def grouping_of(place: Workplace, request: ImageRequest) -> Grouping:
    """The grouping that a request is for; a branch's plan is learnt when it has none.

    Args: as of `known_grouping`.

    Raises:
        BranchError: the branch has no instance to learn from.
        ConfigError: the plan of ``[images] plan`` cannot be read.
    """
    known = known_grouping(place, request)
    if known is not None:
        return known
    return _grouping(request, ensure_kept(place, BranchName(request.tag), _kept_name(request)))


def _pinned(config: Config, request: ImageRequest) -> bool:
    """Whether the configuration says which plan holds."""
    return config.images.plan is not None and request.strategy is not Strategy.NIXERY


def _kept_name(request: ImageRequest) -> str:
    if request.strategy is Strategy.NIXERY:
        return POPULARITY
    return kept_name(request.budget, base=request.base)


def _grouping(request: ImageRequest, file: Path | None) -> Grouping:
    return Grouping(
        strategy=request.strategy,
        budget=request.budget,
        file=file,
        digest=_digest(file) if file else "",
    )


def _digest(file: Path) -> str:
    """A file's digest; of one that has not changed it is remembered."""
    try:
        stat = file.stat()
        return _digest_of(file, stat.st_mtime_ns, stat.st_ino)
    except OSError as missing:
        raise ConfigError(
            f"images.plan: {file}: {missing.strerror}",
            resolution="Make a plan with `lapstrake image plan`, or take the setting out.",
        ) from missing


@lru_cache(maxsize=64)
def _digest_of(file: Path, _changed: int, _inode: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
