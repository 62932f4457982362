"""Better bags: parts move from one layer to another as long as that lowers the price.

Joining pairs never undoes a step, so early ones end up in the wrong company.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lapstrake.grouping.cost import Fleet
from lapstrake.grouping.part import Part

_ROUNDS = 4
_LOOKS = 16_000  # prices that are told for one image, at most: some 20 ms


def settle(bags: Iterable[Sequence[Part]], fleet: Fleet) -> list[list[Part]]:
    """Move single parts between bags; there are as many bags in the end.

    Args:
        bags: the parts of each layer; layers of several parts are taken to be of this image only.
        fleet: tells the price.
    """
    settled = [_Bag(parts, fleet) for parts in bags]
    looks = sum(len(bag.parts) for bag in settled if len(bag.parts) > 1) * len(settled)
    for _ in range(min(_ROUNDS, _LOOKS // max(1, looks))):
        moves = [_leave(bag, part, settled) for bag in settled for part in tuple(bag.parts)]
        if not any(moves):
            break
    return [bag.parts for bag in settled]


def _leave(bag: _Bag, part: Part, bags: Sequence[_Bag]) -> bool:
    """Move a part to where it costs least, if that is elsewhere."""
    if len(bag.parts) < 2:
        return False
    gain = bag.gain(part) * (1 - 1e-9)
    best, price = bag, gain
    for other in bags:
        more = other.price(part) if other is not bag else gain
        if more < price:
            best, price = other, more
    if best is bag:
        return False
    bag.remove(part)
    best.add(part)
    return True


class _Bag:
    """The parts of one layer, with sums that make prices cheap to tell."""

    def __init__(self, parts: Sequence[Part], fleet: Fleet) -> None:
        self.parts = list(parts)
        self._fleet = fleet
        self._size = sum(part.size for part in parts)
        self._users = Counter(source for part in parts for source in part.rates)
        rates = {source: rate for part in parts for source, rate in part.rates.items()}
        doubled = sum((count - 1) * rates[source] for source, count in self._users.items())
        self._rate = sum(part.rate for part in parts) - doubled
        self._cost = self._now()

    def price(self, part: Part) -> float:
        """Bytes more with that part."""
        rate = self._rate + self._rate_of(part, users=0)
        return self._fleet.cost(self._size + part.size, rate, 0.0) - self._cost

    def gain(self, part: Part) -> float:
        """Bytes less without it."""
        if len(self.parts) == 2:
            one, two = self.parts
            return self._cost - (two if one is part else one).cost
        rate = self._rate - self._rate_of(part, users=1)
        return self._cost - self._fleet.cost(self._size - part.size, rate, 0.0)

    def add(self, part: Part) -> None:
        """Take it in."""
        self._rate += self._rate_of(part, users=0)
        self._size += part.size
        self._users.update(part.rates.keys())
        self.parts.append(part)
        self._cost = self._now()

    def remove(self, part: Part) -> None:
        """Let it go."""
        self._rate -= self._rate_of(part, users=1)
        self._size -= part.size
        self._users.subtract(part.rates.keys())
        self.parts.remove(part)
        self._cost = self._now()

    def _rate_of(self, part: Part, *, users: int) -> float:
        """What the part alone brings: sources that so many parts of the bag have."""
        common = sum(rate for source, rate in part.rates.items() if self._users[source] > users)
        return part.rate - common

    def _now(self) -> float:
        if len(self.parts) == 1:
            return self.parts[0].cost
        return self._fleet.cost(self._size, self._rate, 0.0)
