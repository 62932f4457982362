"""``/metrics``: figures as Prometheus reads them (text exposition format 0.0.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake import __version__
from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.demand.jobs import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Numbers of one name, one for each value of a label.

    Attributes:
        name: without the ``_total`` of counters.
        kind: ``gauge`` or ``counter``.
        text: what they count.
        label: what tells them apart.
        values: by the label's value.
    """

    name: str
    kind: str
    text: str
    label: str
    values: Mapping[str, int]


def demand_figures(demand: Demand) -> tuple[Figure, ...]:
    """What is made, and how pulls went; counters are this process' own, since it started."""
    states = Counter(job.state for job in demand.workshop.jobs.alive())
    return (
        Figure(
            name="lapstrake_works",
            kind="gauge",
            text="Images that wait to be made, or are being made.",
            label="state",
            values={state.value: states[state] for state in (State.WAITING, State.RUNNING)},
        ),
        Figure(
            name="lapstrake_pulls",
            kind="counter",
            text="Names that were resolved, by how it went.",
            label="how",
            values=dict(sorted(demand.counts.items())),
        ),
    )


def metrics_text(demand: Demand) -> str:
    """All figures."""
    info = Figure(
        name="lapstrake_info",
        kind="gauge",
        text="What serves.",
        label="version",
        values={__version__: 1},
    )
    lines = [line for figure in (info, *demand_figures(demand)) for line in _lines(figure)]
    return "\n".join(lines) + "\n"


def _lines(figure: Figure) -> list[str]:
    name = figure.name + "_total" * (figure.kind == "counter")
    return [
        f"# HELP {name} {figure.text}",
        f"# TYPE {name} {figure.kind}",
        *(f'{name}{{{figure.label}="{value}"}} {n}' for value, n in figure.values.items()),
    ]
