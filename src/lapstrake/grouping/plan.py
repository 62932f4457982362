"""The pinned plan: joins learnt from many images, which every later image repeats."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from lapstrake.errors import ConfigError
from lapstrake.grouping.base import Knowledge

Members: TypeAlias = tuple[str, ...]
"""The packages of a part, sorted."""

VERSION = 2
"""Of the file's form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A step: an image that has both parts as layers of their own joins them.

    Attributes:
        one: a part.
        two: another one.
        always: also in images that have no layer too many.
    """

    one: Members
    two: Members
    always: bool


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What was learnt for one budget.

    Attributes:
        budget: the most layers.
        parts: what to start from: packages that are always found together, or single ones.
        joins: the steps, in their order.
        shares: part → how many of all images have it as a layer in the end.
    """

    budget: int
    parts: tuple[Members, ...]
    joins: tuple[Join, ...]
    shares: Mapping[Members, float] = field(default_factory=dict)

    @cached_property
    def packages(self) -> frozenset[str]:
        """Those that the plan speaks of; all others are too rare."""
        return frozenset(name for part in self.parts for name in part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was learnt from other images.

    Attributes:
        recipes: one for each of some budgets, smallest first.
        knowledge: sizes and rates as they were then, so that those of today flip no decision.
        digest: SHA-256 of the file, in hexadecimal; belongs in the keys of images.
    """

    recipes: tuple[Recipe, ...]
    knowledge: Knowledge
    digest: str = ""

    def recipe(self, budget: int) -> Recipe | None:
        """The one for the largest budget that is not above this one, else the smallest."""
        fitting = [recipe for recipe in self.recipes if recipe.budget <= budget]
        return fitting[-1] if fitting else next(iter(self.recipes), None)


def render_plan(plan: Plan) -> bytes:
    """Write a plan's file; equal plans give equal bytes."""
    document = {
        "version": VERSION,
        "rates": dict(sorted(plan.knowledge.rates.items())),
        "sizes": dict(sorted(plan.knowledge.sizes.items())),
        "unseen": plan.knowledge.unseen,
        "recipes": [_recipe_document(recipe) for recipe in plan.recipes],
    }
    return (json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def parse_plan(data: bytes, *, name: str = "plan") -> Plan:
    """Read a plan's file.

    Args:
        data: its bytes.
        name: what to call it in errors.

    Raises:
        ConfigError: it is no plan, or of another version.
    """
    again = "Make it anew with `lapstrake image plan`."
    try:
        document = json.loads(data)
        version = document["version"]
        if version != VERSION:
            raise ConfigError(f"{name}: a plan of version {version}", resolution=again)
        recipes = [_read_recipe(recipe) for recipe in document["recipes"]]
        rates = {str(key): float(value) for key, value in document["rates"].items()}
        sizes = {str(key): int(value) for key, value in document["sizes"].items()}
        unseen = float(document["unseen"])
    except json.JSONDecodeError as wrong:
        where = f"{name}:{wrong.lineno}:{wrong.colno}"
        raise ConfigError(f"{where}: not JSON: {wrong.msg}", resolution=again) from wrong
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as wrong:
        raise ConfigError(f"{name}: not a plan: {wrong!r}", resolution=again) from wrong
    return Plan(
        recipes=tuple(sorted(recipes, key=lambda recipe: recipe.budget)),
        knowledge=Knowledge(rates=rates, sizes=sizes, unseen=unseen),
        digest=hashlib.sha256(data).hexdigest(),
    )


def _recipe_document(recipe: Recipe) -> dict[str, Any]:
    """Parts are numbered in the order in which they come to be, so that steps are short."""
    numbers: dict[Members, int] = {}
    for part in recipe.parts:
        numbers[part] = len(numbers)
    joins = []
    for join in recipe.joins:
        joins.append([numbers[join.one], numbers[join.two], int(join.always)])
        numbers.setdefault(joined(join.one, join.two), len(numbers))
    return {
        "budget": recipe.budget,
        "parts": [list(part) for part in recipe.parts],
        "joins": joins,
        "shares": sorted([numbers[part], share] for part, share in recipe.shares.items()),
    }


def _read_recipe(document: Mapping[str, Any]) -> Recipe:
    parts = [tuple(str(name) for name in part) for part in document["parts"]]
    known, numbers = list(parts), {part: number for number, part in enumerate(parts)}
    joins = []
    for one, two, always in document["joins"]:
        joins.append(Join(one=known[one], two=known[two], always=bool(always)))
        joint = joined(known[one], known[two])
        if joint not in numbers:
            numbers[joint] = len(known)
            known.append(joint)
    return Recipe(
        budget=int(document["budget"]),
        parts=tuple(parts),
        joins=tuple(joins),
        shares={known[number]: float(share) for number, share in document["shares"]},
    )


def joined(one: Members, two: Members) -> Members:
    """The members of two parts together, sorted."""
    return tuple(sorted(one + two))
