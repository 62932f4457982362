"""Learning a plan: which joins of packages pay, over many images.

As in byte-pair encoding, the cheapest join is made in all images at once that have both parts,
and kept as a step that every other image can repeat; then the next cheapest. So images that hold
the same popular packages group them alike, whatever else is in them.

A set of images is an integer with a bit for each: cutting and counting such sets takes the time.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lapstrake.grouping.base import Knowledge
from lapstrake.grouping.cost import Fleet, common_rate, unseen_rate
from lapstrake.grouping.plan import Join, Members, Plan, Recipe, joined
from lapstrake.grouping.tail import tail_class

_KNOWN = 3  # images that must have a package for the plan to speak of it
_DEAREST = 2_000_000.0  # bytes; above it, few too large images would decide for all
_STRETCH = 1.2  # images of so many times the budget are left alone, see `learn_recipe`
_FREE = -1.0
_LARGE = 2_000_000  # bytes; larger packages are parts of their own although nothing moves them yet


@dataclass(slots=True, kw_only=True, eq=False)
class _Part:
    """Packages that some images (bits) have as a layer, and what that costs them."""

    number: int
    members: Members
    size: int
    rates: Mapping[str, float]
    rate: float
    images: int = 0
    count: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A join in these images (bits), in bytes for each layer less in one that has too many."""

    price: float
    images: int


def learn_plan(
    images: Sequence[frozenset[str]],
    sources: Mapping[str, str],
    knowledge: Knowledge,
    *,
    budgets: Sequence[int],
    fleet: Fleet | None = None,
) -> Plan:
    """Learn a plan.

    Args:
        images: the packages of each of some hundred images.
        sources: package → source.
        knowledge: rates, and sizes of all these packages.
        budgets: for each a recipe is learnt.
        fleet: whom the images are for.

    Returns:
        The plan; it has no digest before it is written and read again.
    """
    names = sorted(frozenset[str]().union(*images))
    kept = Knowledge(
        rates=dict(sorted(knowledge.rates.items())),
        sizes={name: knowledge.sizes[name] for name in names},
        unseen=unseen_rate(knowledge.rates, {sources[name] for name in names}),
    )
    recipes = [
        learn_recipe(images, sources, kept, budget=budget, fleet=fleet)
        for budget in sorted(set(budgets))
    ]
    return Plan(recipes=tuple(recipes), knowledge=kept)


def learn_recipe(
    images: Sequence[frozenset[str]],
    sources: Mapping[str, str],
    knowledge: Knowledge,
    *,
    budget: int,
    fleet: Fleet | None = None,
) -> Recipe:
    """Learn the recipe for one budget.

    Joins stop while images still have somewhat more layers: what is left is better chosen for the
    one image than by rules made for a few alike (the benchmark tells).
    """
    learner = _Learner(images, sources, knowledge, fleet or Fleet())
    learner.run(int(budget * _STRETCH))
    return Recipe(
        budget=budget,
        parts=tuple(sorted(learner.start)),
        joins=tuple(learner.joins),
        shares=dict(sorted(learner.shares().items())),
    )


class _Learner:
    """The state of learning one recipe."""

    def __init__(
        self,
        images: Sequence[frozenset[str]],
        sources: Mapping[str, str],
        knowledge: Knowledge,
        fleet: Fleet,
    ) -> None:
        self.joins: list[Join] = []
        self.start: list[Members] = []
        self._total = len(images)
        self._sources, self._knowledge, self._fleet = sources, knowledge, fleet
        self._parts: list[_Part] = []
        self._by_members: dict[Members, _Part] = {}
        self._alive: dict[int, _Part] = {}
        self._layers = [0] * len(images)
        self._over = 0
        self._heap: list[tuple[float, int, int]] = []
        self._read(images)

    def run(self, budget: int) -> None:
        """Join until no image has more layers than that."""
        self._over = sum(1 << i for i, layers in enumerate(self._layers) if layers > budget)
        parts = list(self._alive.values())
        for position, part in enumerate(parts):
            for other in parts[:position]:
                self._consider(other, part)
        heapq.heapify(self._heap)
        while self._heap and self._heap[0][0] < (_DEAREST if self._over else 0.0):
            price, first, second = heapq.heappop(self._heap)
            one, two = self._parts[first], self._parts[second]
            offer = self._offer(one, two)
            if offer is None:
                continue
            if offer.price > price and self._heap and offer.price > self._heap[0][0]:
                heapq.heappush(self._heap, (offer.price, first, second))
            else:
                self._join(one, two, offer, budget)

    def shares(self) -> dict[Members, float]:
        """How many of all images have each part as a layer."""
        return {part.members: part.count / self._total for part in self._alive.values()}

    def _read(self, images: Sequence[frozenset[str]]) -> None:
        users: dict[str, int] = defaultdict(int)
        for number, packages in enumerate(images):
            for name in packages:
                users[name] |= 1 << number
        alike: dict[tuple[int, str], list[str]] = defaultdict(list)
        tails: list[set[tuple[int, int]]] = [set() for _ in images]
        for name in sorted(users):
            rate = self._knowledge.rates.get(self._sources[name], self._knowledge.unseen)
            apart = rate > self._knowledge.unseen or self._knowledge.sizes[name] > _LARGE
            if users[name].bit_count() >= _KNOWN:
                alike[users[name], self._sources[name] if apart else ""].append(name)
                continue
            for image in _bits(users[name]):
                tails[image].add(tail_class(self._knowledge.sizes[name], rate))
        for (bits, _), names in alike.items():
            self._give(self._part(tuple(names)), bits)
            self.start.append(tuple(names))
            for image in _bits(bits):
                self._layers[image] += 1
        for image, tail in enumerate(tails):
            self._layers[image] += len(tail)

    def _part(self, members: Members) -> _Part:
        known = self._knowledge.rates
        sources = sorted({self._sources[name] for name in members})
        rates = {source: known[source] for source in sources if known.get(source)}
        part = _Part(
            number=len(self._parts),
            members=members,
            size=sum(self._knowledge.sizes[name] for name in members),
            rates=rates,
            rate=sum(known.get(source, self._knowledge.unseen) for source in sources),
        )
        self._parts.append(part)
        self._by_members[members] = part
        return part

    def _give(self, part: _Part, images: int) -> None:
        part.images, part.count = images, images.bit_count()
        part.cost = self._cost(part.size, part.rate, part.count)
        if images:
            self._alive[part.number] = part
        else:
            self._alive.pop(part.number, None)

    def _cost(self, size: int, rate: float, count: int) -> float:
        return count * self._fleet.cost(size, rate, count / self._total) if count else 0.0

    def _consider(self, one: _Part, two: _Part) -> None:
        if one.images & two.images:
            offer = self._offer(one, two)
            if offer:
                self._heap.append((offer.price, one.number, two.number))

    def _offer(self, one: _Part, two: _Part) -> _Offer | None:
        both = one.images & two.images
        count = both.bit_count()
        if count < 2:
            return None
        size = one.size + two.size
        rate = one.rate + two.rate - common_rate(one.rates, two.rates)

        def change(moved: int) -> float:
            return (
                self._cost(size, rate, moved)
                + self._cost(one.size, one.rate, one.count - moved)
                + self._cost(two.size, two.rate, two.count - moved)
                - one.cost
                - two.cost
            )

        price = change(count)
        if price <= 0:
            return _Offer(price=_FREE, images=both)
        needy = both & self._over
        wanted = needy.bit_count()
        if not wanted:
            return None
        best = _Offer(price=price / wanted, images=both)
        only = change(wanted) / wanted if wanted < count else best.price
        return best if only >= best.price else _Offer(price=max(only, 0.0), images=needy)

    def _join(self, one: _Part, two: _Part, offer: _Offer, budget: int) -> None:
        always = offer.images == one.images & two.images
        self.joins.append(Join(one=one.members, two=two.members, always=always))
        members = joined(one.members, two.members)
        joint = self._by_members.get(members) or self._part(members)
        self._give(joint, joint.images | offer.images)
        for part in (one, two):
            self._give(part, part.images & ~offer.images)
        for image in _bits(offer.images):
            self._layers[image] -= 1
            if self._layers[image] <= budget:
                self._over &= ~(1 << image)
        for part in (joint, one, two):
            if part.count:
                self._meet(part)

    def _meet(self, part: _Part) -> None:
        for other in self._alive.values():
            if other is not part and other.images & part.images:
                offer = self._offer(part, other)
                if offer:
                    entry = (offer.price, part.number, other.number)
                    heapq.heappush(self._heap, entry)


def _bits(number: int) -> Iterator[int]:
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low
