"""The rule of expected bytes: repeat the plan's steps, then join whatever costs the fleet least."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from math import log2

from lapstrake.grouping.base import Graph, Group, Knowledge
from lapstrake.grouping.cost import Fleet, common_rate, unseen_rate
from lapstrake.grouping.moves import settle
from lapstrake.grouping.order import place
from lapstrake.grouping.part import Part
from lapstrake.grouping.plan import Members, Plan, Recipe, joined
from lapstrake.grouping.tail import tail_class

_PAIRS = 6_000  # parts times neighbours that are looked at


def expected_groups(
    graph: Graph,
    knowledge: Knowledge,
    *,
    budget: int,
    plan: Plan | None = None,
    fleet: Fleet | None = None,
) -> tuple[Group, ...]:
    """Group so that a fleet is expected to pull the fewest bytes, now and with updates.

    Args:
        graph: the closure.
        knowledge: popularity (without a plan), rates and sizes; those of the plan go first.
        budget: the most groups, at least 1.
        plan: what was learnt from other images.
        fleet: whom the images are for.

    Returns:
        The groups, highest rating first.
    """
    recipe = plan.recipe(budget) if plan else None
    grouping = _Grouping(graph, knowledge, plan, recipe, fleet or Fleet())
    if recipe:
        grouping.start(recipe)
        grouping.follow(recipe, budget)
        if len(grouping.parts) > budget:
            grouping.start(recipe, rare_together=True)
            grouping.follow(recipe, budget)
    grouping.fit(budget)
    groups = [
        Group(
            members=part.members,
            reason=part.reason,
            rating=place(part.size, part.rate, part.share, grouping.fleet),
        )
        for part in grouping.parts.values()
    ]
    return tuple(sorted(groups, key=lambda group: (-group.rating, group.members)))


class _Grouping:
    """The parts of one image, joined step by step."""

    def __init__(
        self,
        graph: Graph,
        knowledge: Knowledge,
        plan: Plan | None,
        recipe: Recipe | None,
        fleet: Fleet,
    ) -> None:
        self.fleet = fleet
        self._recipe = recipe
        pinned = plan.knowledge if plan else Knowledge()
        rates = pinned.rates if plan else knowledge.rates
        self._sources = {name: node.source or name for name, node in graph.nodes.items()}
        guessed = knowledge.unseen or unseen_rate(rates, set(self._sources.values()))
        self._unseen = pinned.unseen if plan else guessed
        self._rates = {source: rates.get(source, self._unseen) for source in self._sources.values()}
        self._known = {source for source in self._rates if rates.get(source)}
        self._sizes = {
            name: pinned.sizes.get(name) or _rough(knowledge.sizes.get(name) or node.size, plan)
            for name, node in graph.nodes.items()
        }
        self.parts: dict[Members, Part] = {}
        if recipe is None:
            self._start_by_source(graph, knowledge)

    def start(self, recipe: Recipe, *, rare_together: bool = False) -> None:
        """Take the plan's parts, and what it does not know by source.

        With `rare_together` that is put into a few classes of size and rate: in an image with too
        many parts it must be joined anyhow, and so images agree about how.
        """
        self.parts = {}
        left = set(self._sizes)
        for members in recipe.parts:
            if left.issuperset(members):
                share = recipe.shares.get(members, 0.0)
                reason = "always together" if len(members) > 1 else "alone"
                self._add(members, share, f"{reason}{_often(share)}")
                left.difference_update(members)
        rare = []
        for name in sorted(left):
            if name in recipe.packages:
                self._add((name,), 0.0, "alone: what it mostly comes with is not here")
            else:
                rare.append(name)
        if rare_together:
            self._add_classes(rare)
        else:
            self._add_sources(rare)

    def _add_sources(self, rare: list[str]) -> None:
        by_source: dict[str, list[str]] = {}
        for name in rare:
            by_source.setdefault(self._sources[name], []).append(name)
        for source, names in by_source.items():
            self._add(tuple(names), 0.0, f"rarely used, source {source}")

    def _add_classes(self, rare: list[str]) -> None:
        tails: dict[tuple[int, int], list[str]] = {}
        for name in rare:
            cell = tail_class(self._sizes[name], self._rates[self._sources[name]])
            tails.setdefault(cell, []).append(name)
        for (often, _), names in tails.items():
            what = "not updated so far" if often < 0 else "updated about as often"
            self._add(tuple(names), 0.0, f"rarely used, {what}" if names[1:] else "rarely used")

    def _start_by_source(self, graph: Graph, knowledge: Knowledge) -> None:
        most = max([1.0, *knowledge.popularity.values()])
        groups: dict[str, list[str]] = {}
        for name in sorted(graph.nodes):
            groups.setdefault(self._sources[name], []).append(name)
        for source, names in groups.items():
            labels = [graph.nodes[name].label or name for name in names]
            share = max(knowledge.popularity.get(label, 0.0) for label in labels) / most
            self._add(tuple(names), share, f"source {source}")

    def _add(self, members: Members, share: float, reason: str) -> None:
        sources = sorted({self._sources[name] for name in members})
        rates = {source: self._rates[source] for source in sources if source in self._known}
        size = sum(self._sizes[name] for name in members)
        rate = sum(self._rates[source] for source in sources)
        self.parts[members] = Part(
            members=members,
            size=size,
            rates=rates,
            rate=rate,
            share=share,
            cost=self.fleet.cost(size, rate, share),
            reason=reason,
        )

    def follow(self, recipe: Recipe, budget: int) -> None:
        """Repeat the plan's steps as far as this image has their parts."""
        for join in recipe.joins:
            if join.one in self.parts and join.two in self.parts:
                if not join.always and len(self.parts) <= budget:
                    continue
                members = joined(join.one, join.two)
                del self.parts[join.one], self.parts[join.two]
                share = recipe.shares.get(members, 0.0)
                self._add(members, share, f"mostly together{_often(share)}")

    def fit(self, budget: int) -> None:
        """Join what else must be joined."""
        before = self.parts.copy()
        self.squeeze(budget)
        if self._recipe is None or len(before) == len(self.parts):
            return
        layer = {name: number for number, part in enumerate(self.parts) for name in part}
        bags: list[list[Part]] = [[] for _ in self.parts]
        for members, part in before.items():
            bags[layer[members[0]]].append(part)
        self.parts = {}
        for bag in settle(bags, self.fleet):
            if len(bag) == 1:
                self.parts[bag[0].members] = bag[0]
            else:
                names = sorted(name for part in bag for name in part.members)
                self._add(tuple(names), 0.0, "cheapest together, to keep to the budget")

    def squeeze(self, budget: int) -> None:
        """Join the pair that costs least until there are few enough parts.

        Of many parts, only pairs that are updated about as often are looked at: others cost more.
        """
        if len(self.parts) <= budget:
            return
        order = sorted(part.place for part in self.parts.values())
        near = max(5, _PAIRS // len(order))
        heap = [
            self._pair(one[-1], two[-1])
            for position, two in enumerate(order)
            for one in order[max(0, position - near) : position]
        ]
        heapq.heapify(heap)
        while len(self.parts) > budget:
            _, first, second = heapq.heappop(heap)
            if first not in self.parts or second not in self.parts:
                continue
            one, two = self.parts.pop(first), self.parts.pop(second)
            for part in (one, two):
                del order[bisect_left(order, part.place)]
            members = joined(first, second)
            self._add(
                members, self._joint_share(one, two), "cheapest together, to keep to the budget"
            )
            position = bisect_left(order, self.parts[members].place)
            for other in order[max(0, position - near) : position + near]:
                heapq.heappush(heap, self._pair(other[-1], members))
            order.insert(position, self.parts[members].place)

    def _pair(self, one: Members, two: Members) -> tuple[float, Members, Members]:
        first, second = sorted((one, two))
        return (self._price(self.parts[first], self.parts[second]), first, second)

    def _price(self, one: Part, two: Part) -> float:
        size = one.size + two.size
        rate = one.rate + two.rate - common_rate(one.rates, two.rates)
        return self.fleet.cost(size, rate, self._joint_share(one, two)) - one.cost - two.cost

    def _joint_share(self, one: Part, two: Part) -> float:
        if self._recipe is None:
            return self.fleet.agreement * min(one.share, two.share)
        return 0.0


def _rough(size: int, plan: Plan | None) -> int:
    """Today's size of a package that the plan does not know.

    Rounded to a power of two: an update changes it by little, and so seldom changes a decision.
    """
    return 1 << round(log2(size)) if plan and size > 0 else size


def _often(share: float) -> str:
    """How many images are expected to have such a layer, in words."""
    return f", in {share:.0%} of images" if share >= 0.01 else ""
