"""Time commands against each other: in turn, so that a machine that drifts is fair to both."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Contender:
    """Something that is timed.

    Attributes:
        name: how the report calls it.
        run: does it once.
        prepare: called before each run; what it takes is not counted.
        seconds: what each counted run took.
    """

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of its runs."""
        return statistics.median(self.seconds)


def command(name: str, argv: Sequence[str], *, env: dict[str, str] | None = None) -> Contender:
    """A program as a contender; its output is thrown away, its failure is not."""

    def run() -> None:
        done = subprocess.run(
            list(argv), env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode != 0:
            sys.exit(
                f"{name} failed:\n{done.stdout.decode()[-2000:]}{done.stderr.decode()[-2000:]}"
            )

    return Contender(name=name, run=run)


def race(contenders: Sequence[Contender], *, rounds: int, warmup: int = 1) -> None:
    """Run all contenders in turn, `rounds` times; the first ones are not counted."""
    for number in range(warmup + rounds):
        for contender in contenders:
            contender.prepare()
            before = time.perf_counter()
            contender.run()
            if number >= warmup:
                contender.seconds.append(time.perf_counter() - before)


def report(title: str, contenders: Sequence[Contender], *, as_json: bool = False) -> None:
    """Print median, minimum, maximum, and the ratio of the first to each other, round by round."""
    first, *others = contenders
    if as_json:
        print(json.dumps({"title": title, "seconds": {c.name: c.seconds for c in contenders}}))
        return
    print(f"{title} ({len(first.seconds)} rounds)")
    for contender in contenders:
        low, high = min(contender.seconds), max(contender.seconds)
        print(f"  {contender.name:<44} {contender.median:8.3f} s   [{low:.3f} .. {high:.3f}]")
    for other in others:
        ratios = [one / two for one, two in zip(first.seconds, other.seconds, strict=True)]
        print(f"  {first.name} / {other.name}: {statistics.median(ratios):.3f}")
