"""The server's numbers for Prometheus (text format 0.0.4, or OpenMetrics by the scraper's wish).

What the tables know is asked when somebody looks; what requests do is counted in this process.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lapstrake.config.model import Config
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.monitor.aggregates import ended_since, queue_depths, unfinished
from lapstrake.farm.problems import Unavailable
from lapstrake.farm.values.workers import SlotState
from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.pages.metrics import demand_figures

_BUILD_SECONDS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 2 * 3600, 6 * 3600, 24 * 3600)
_HTTP_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """All numbers of one server process.

    Args:
        desk: what they are about.
        config: for the disk that is watched.
        demand: makes images; ``None`` for none.
    """

    def __init__(self, desk: Desk, config: Config, demand: Demand | None = None) -> None:
        self._desk = desk
        self._turn = threading.Lock()
        self._since = desk.clock()
        self._seen: set[tuple[int, int]] = set()
        disable_created_metrics()  # type: ignore[no-untyped-call] # lines that tell nothing
        self._registry = CollectorRegistry()
        self._attempts = Counter(
            "lapstrake_attempts_ended",
            "Attempts that ended while this server ran, by how.",
            ("arch", "ending"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "lapstrake_build_seconds",
            "How long attempts took that were not lost.",
            ("arch", "ending"),
            buckets=_BUILD_SECONDS,
            registry=self._registry,
        )
        self._requests = Counter(
            "lapstrake_http_requests",
            "Requests answered, by route.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._latency = Histogram(
            "lapstrake_http_request_seconds",
            "Until the answer began.",
            ("method", "route"),
            buckets=_HTTP_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Standing(desk, config))
        if demand is not None:
            self._registry.register(_Images(demand))

    def answer(self, accept: str = "") -> tuple[bytes, str]:
        """All numbers as they are now, and their media type.

        Args:
            accept: the request's ``Accept``.
        """
        encode, media_type = choose_encoder(accept)
        with self._turn:
            self._count_attempts()
            return encode(self._registry), media_type

    def measured(self, app: ASGIApp) -> ASGIApp:
        """The application, each of whose requests is counted."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            begun = time.perf_counter()

            async def note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._note(scope, message["status"], time.perf_counter() - begun)
                await send(message)

            await app(scope, receive, note)

        return answer

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")  # never what a client made up
        method = scope["method"] if route != "other" else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)

    def _count_attempts(self) -> None:
        """Count those that ended since somebody looked; each once."""
        try:
            ended = ended_since(self._desk.database, self._since)
        except Unavailable:
            return
        for each in ended:
            if (each.task, each.number) in self._seen:
                continue
            self._attempts.labels(each.arch, each.ending).inc()
            if each.ending != "lost":
                self._seconds.labels(each.arch, each.ending).observe(each.seconds)
        if ended:
            self._since = ended[-1].finished
            last = (each for each in ended if each.finished == self._since)
            self._seen = {(each.task, each.number) for each in last}


class _Standing(Collector):
    """How things stand when somebody looks."""

    def __init__(self, desk: Desk, config: Config) -> None:
        self._desk = desk
        self._config = config

    def describe(self) -> list[Metric]:
        """Nothing: or else registering would ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask the tables; without them, ``lapstrake_up`` is 0 and the rest is missing."""
        up = GaugeMetricFamily("lapstrake_up", "Whether the database answers.")
        try:
            standing = [*self._tasks(), *self._queues(), *self._workers()]
        except Unavailable:
            standing = []
        up.add_metric((), 1 if standing else 0)
        yield up
        yield from standing
        yield from self._disk()

    def _tasks(self) -> Iterator[Metric]:
        by_state = GaugeMetricFamily(
            "lapstrake_tasks", "Tasks that are kept, by state.", labels=("state",)
        )
        for state, count in self._desk.counts().items():
            by_state.add_metric((str(state),), count)
        by_arch = GaugeMetricFamily(
            "lapstrake_tasks_unfinished", "Tasks that have not ended.", labels=("state", "arch")
        )
        for labels, count in unfinished(self._desk.database).items():
            by_arch.add_metric(labels, count)
        yield from (by_state, by_arch)

    def _queues(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "lapstrake_queue_tasks", "Tasks that wait for a worker.", labels=("queue",)
        )
        age = GaugeMetricFamily(
            "lapstrake_queue_oldest_seconds", "How long the oldest waits.", labels=("queue",)
        )
        now = self._desk.clock()
        for each in queue_depths(self._desk.database):
            depth.add_metric((each.queue,), each.waiting)
            age.add_metric((each.queue,), max(now - each.oldest, 0.0))
        yield from (depth, age)

    def _workers(self) -> Iterator[Metric]:
        workers = self._desk.workers()
        states = GaugeMetricFamily("lapstrake_workers", "Workers, by state.", labels=("state",))
        for state, count in Count(str(each.state) for each in workers).items():
            states.add_metric((state,), count)
        labels = ("worker", "state")
        slots = GaugeMetricFamily("lapstrake_slots", "Places for a build.", labels=labels)
        free = GaugeMetricFamily(
            "lapstrake_worker_disk_free_bytes", "Room where it builds.", labels=("worker",)
        )
        for worker in workers:
            name, counts = worker.facts.name, Count(slot.state for slot in worker.slots)
            free.add_metric((name,), worker.disk_free)
            for state in SlotState:
                slots.add_metric((name, str(state)), counts[state])
        yield from (states, slots, free)

    def _disk(self) -> Iterator[Metric]:
        usage = shutil.disk_usage(self._config.work_dir)
        for name, value in (("free", usage.free), ("total", usage.total)):
            metric = f"lapstrake_disk_{name}_bytes"
            yield GaugeMetricFamily(metric, "The server's disk (work_dir).", value=value)


class _Images(Collector):
    """The registry's figures."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand

    def collect(self) -> Iterator[Metric]:
        """Look how things stand."""
        for figure in demand_figures(self._demand):
            family = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
            metric = family(figure.name, figure.text, labels=(figure.label,))
            for value, number in figure.values.items():
                metric.add_metric((value,), number)
            yield metric
