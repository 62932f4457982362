"""``/metrics``: figures as Prometheus reads them (text exposition format 0.0.4)."""

from __future__ import annotations

from collections import Counter

from lapstrake import __version__
from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.demand.jobs import State


def metrics_text(demand: Demand) -> str:
    """All figures; counters are this process' own, since it started."""
    states = Counter(job.state for job in demand.workshop.jobs.alive())
    counts = demand.counts
    lines = [
        *_head("lapstrake_info", "gauge", "What serves."),
        f'lapstrake_info{{version="{__version__}"}} 1',
        *_head("lapstrake_works", "gauge", "Images that wait to be made, or are being made."),
        *(
            f'lapstrake_works{{state="{state}"}} {states[state]}'
            for state in (State.WAITING, State.RUNNING)
        ),
        *_head("lapstrake_pulls_total", "counter", "Names that were resolved, by how it went."),
        *(f'lapstrake_pulls_total{{how="{how}"}} {count}' for how, count in sorted(counts.items())),
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
