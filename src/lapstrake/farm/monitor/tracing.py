"""Traces for OpenTelemetry: a request, the tasks that it began, and their attempts as spans.

The server knows when tasks and attempts began and ended: it makes their spans when they have ended.
Where they go is said by OpenTelemetry's own variables (``OTEL_EXPORTER_OTLP_ENDPOINT`` ...). The
library is the extra ``lapstrake[otel]``.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lapstrake.farm.model.states import ENDED
from lapstrake.farm.problems import Problem
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.tasks import Task

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanContext

    from lapstrake.farm.desk.desk import Desk

_LOG = logging.getLogger("lapstrake.farm.monitor")
_WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_MOST_REMEMBERED = 100_000
_NANO = 1_000_000_000
_GOOD = frozenset({"success", ""})


def start_tracing(service: str) -> Tracing | None:
    """Begin to send traces, where the environment says to where.

    Args:
        service: ``service.name``, unless ``OTEL_SERVICE_NAME`` says otherwise.

    Returns:
        ``None`` when nobody wants them, or the library is missing (which is logged).
    """
    if not any(os.environ.get(name) for name in _WANTED) or _is_off():
        return None
    if find_spec("opentelemetry.sdk") is None or find_spec("opentelemetry.exporter") is None:
        _LOG.warning("traces are wanted, but lapstrake[otel] is not installed")
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


class Tracing:
    """Makes spans of what a server does.

    Args:
        provider: where they go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("lapstrake")
        self._requests: dict[int, SpanContext] = {}
        self._ended: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def traced(self, app: ASGIApp) -> ASGIApp:
        """The application, each of whose requests is a span; the client's trace goes on in it."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, StatusCode

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = {
                key.decode("latin-1"): text.decode("latin-1") for key, text in scope["headers"]
            }
            method = scope["method"]
            with self._tracer.start_as_current_span(
                method, context=extract(headers), kind=SpanKind.SERVER
            ) as span:
                span.set_attribute("http.request.method", method)
                span.set_attribute("url.path", scope["path"])

                async def note(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= 500:
                            span.set_status(StatusCode.ERROR)
                        route = getattr(scope.get("route"), "path", "")
                        if route:
                            span.update_name(f"{method} {route}")
                            span.set_attribute("http.route", route)
                    await send(message)

                await app(scope, receive, note)

        return answer

    def watch(self, desk: Desk) -> None:
        """Make spans of all tasks that end from now on."""
        from opentelemetry.trace import get_current_span

        def hear(event: Event) -> None:
            if event.task is None:
                return
            _, _, what = event.kind.partition("task.")
            if what in ENDED:
                self._ended.put(event.task)
                return
            current = get_current_span().get_span_context()
            if current.is_valid and len(self._requests) < _MOST_REMEMBERED:
                self._requests.setdefault(event.task, current)

        desk.subscribe(hear)
        self._thread = threading.Thread(
            target=self._tell_ended, args=(desk,), name="tracing", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Send what is left, for some seconds at most."""
        if self._thread is not None:
            self._ended.put(None)
            self._thread.join(5.0)
        self._provider.shutdown()

    def _tell_ended(self, desk: Desk) -> None:
        while (number := self._ended.get()) is not None:
            try:
                self._tell(desk, desk.task(number))
            except Problem as lost:
                _LOG.warning("no trace of task %s: %s", number, lost.brief)

    def _tell(self, desk: Desk, task: Task) -> None:
        """A span of the task, below the request that began it, and one of each attempt below."""
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        request = self._requests.pop(task.id, None)
        above = None if request is None else set_span_in_context(NonRecordingSpan(request))
        spec = task.spec
        below = self._span(
            "task",
            (task.created, task.finished, str(task.state)),
            above,
            task=task.id,
            name=spec.name,
            branch=spec.branch,
            arch=spec.arch,
            owner=task.owner,
        )
        for attempt in desk.attempts(task.id):
            self._span(
                "attempt",
                (attempt.started, attempt.finished or task.finished, attempt.ending),
                below,
                task=task.id,
                attempt=attempt.number,
                worker=attempt.worker,
                exit_code=attempt.exit_code,
            )

    def _span(
        self,
        what: str,
        course: tuple[float, float, str],
        above: Context | None,
        **facts: str | int,
    ) -> Context:
        """A span of what is over; gives the context of what is below it.

        Args:
            what: its name.
            course: when it began and ended, and how.
            above: the context of what it belongs to.
            facts: its attributes, without the ``lapstrake.`` before their names.
        """
        from opentelemetry.trace import StatusCode, set_span_in_context

        begun, ended, ending = course
        attributes = {f"lapstrake.{name}": value for name, value in facts.items()}
        attributes["lapstrake.ending"] = ending
        begin = int(begun * _NANO)
        span = self._tracer.start_span(what, above, attributes=attributes, start_time=begin)
        if ending not in _GOOD:
            span.set_status(StatusCode.ERROR, ending)
        span.end(max(int(ended * _NANO), begin))
        return set_span_in_context(span)


def _is_off() -> bool:
    """Whether OpenTelemetry's own switches say no."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return disabled or os.environ.get("OTEL_TRACES_EXPORTER", "") == "none"
