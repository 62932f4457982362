"""Time commands against each other: in turn, so that a machine that drifts is fair to both."""

from __future__ import annotations

import json
import resource
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
        processor: the processor's part of it, with that of programs that were waited for; on a
            loaded machine it is what can be compared.
    """

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of its runs."""
        return statistics.median(self.seconds)

    @property
    def median_processor(self) -> float:
        """The middle of what its runs took of the processor, in seconds."""
        return statistics.median(self.processor)


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
            before, busy = time.perf_counter(), _processor()
            contender.run()
            if number >= warmup:
                contender.seconds.append(time.perf_counter() - before)
                contender.processor.append(_processor() - busy)


def _processor() -> float:
    """Seconds of the processor that we and our children took, who were waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def report(title: str, contenders: Sequence[Contender], *, as_json: bool = False) -> None:
    """Print median, minimum, maximum, and the ratio of the first to each other, round by round."""
    first, *others = contenders
    if as_json:
        taken = {
            "seconds": {c.name: c.seconds for c in contenders},
            "processor": {c.name: c.processor for c in contenders},
        }
        print(json.dumps({"title": title, **taken}))
        return
    print(f"{title} ({len(first.seconds)} rounds)")
    for contender in contenders:
        low, high = min(contender.seconds), max(contender.seconds)
        print(
            f"  {contender.name:<44} {contender.median:8.3f} s   [{low:.3f} .. {high:.3f}]"
            f"   processor {contender.median_processor:.3f} s"
        )
    for other in others:
        time_ratio = _ratio(first.seconds, other.seconds)
        print(
            f"  {first.name} / {other.name}: {time_ratio:.3f},"
            f" processor {_ratio(first.processor, other.processor):.3f}"
        )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The middle of the ratios, round by round."""
    return statistics.median(one / two for one, two in zip(ours, theirs, strict=True))
