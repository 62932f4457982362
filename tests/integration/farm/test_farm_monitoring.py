"""The numbers and traces of a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from farm_hand import ENGINE, HandWorker
from farm_server import FarmServer, farm_server


class Receiver:
    """Takes traces as a collector does (OTLP over HTTP)."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    data = gzip.decompress(data)
                request = ExportTraceServiceRequest.FromString(data)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        receiver.spans += scope.spans
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Tests print enough."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @contextmanager
    def running(self) -> Iterator[str]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{self.server.server_port}"
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


@pytest.fixture(scope="module")
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture(scope="module")
def server(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    with receiver.running() as url:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        folder = tmp_path_factory.mktemp("farm")
        with farm_server(folder, settings=(ENGINE,), variables=variables) as running:
            yield running


def numbers(hand: HandWorker) -> dict[tuple[str, ...], float]:
    """All samples, by name and labels' values."""
    answer = hand.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def submit(hand: HandWorker, name: str) -> int:
    spec = {"name": name, "source": f"apt:{name}", "branch": "stable", "publish": False}
    answer = hand.client.post("/api/v1/tasks", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def test_metrics_tell_what_waits_runs_and_ended(hand: HandWorker) -> None:
    waiting, failing = submit(hand, "waiting"), submit(hand, "failing")
    before = numbers(hand)
    assert before["lapstrake_up",] == 1
    assert before["lapstrake_tasks", "queued"] == 2
    assert before["lapstrake_tasks_unfinished", "amd64", "queued"] == 2
    assert before["lapstrake_queue_tasks", "build.amd64"] == 2
    assert before["lapstrake_queue_oldest_seconds", "build.amd64"] >= 0
    assert before["lapstrake_workers", "online"] == 1
    assert before["lapstrake_slots", "idle", "hand"] == 2
    assert before["lapstrake_disk_free_bytes",] > 0
    hand.claim(failing)
    hand.finish(failing, ok=False, error="no")
    for _ in range(2):  # whoever looks twice counts nothing twice
        after = numbers(hand)
        assert after["lapstrake_attempts_ended_total", "amd64", "failed"] == 1
        assert after["lapstrake_build_seconds_count", "amd64", "failed"] == 1
    assert after["lapstrake_tasks_unfinished", "amd64", "queued"] == 1
    hand.client.post(f"/api/v1/tasks/{waiting}/cancel", json={})


def test_requests_are_counted_by_route_and_not_by_what_clients_make_up(hand: HandWorker) -> None:
    for path in ("/api/v1/tasks/1", "/api/v1/tasks/2", "/no/such/1", "/no/such/2"):
        hand.client.get(path)
    found = numbers(hand)
    assert found["lapstrake_http_requests_total", "GET", "/api/v1/tasks/{id}", "200"] == 2
    assert found["lapstrake_http_request_seconds_count", "GET", "/api/v1/tasks/{id}"] == 2
    assert not [key for key in found if any("/no/such" in word for word in key)]


def test_a_request_its_task_and_the_attempts_are_one_trace(
    hand: HandWorker, receiver: Receiver
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    hand.client.headers["traceparent"] = f"00-{trace}-b7ad6b7169203331-01"
    task = submit(hand, "traced")
    del hand.client.headers["traceparent"]
    hand.claim(task)
    hand.finish(task, ok=False, error="no", exit_code=14)
    until = time.monotonic() + 15
    spans: dict[str, Any] = {}
    while "attempt" not in spans and time.monotonic() < until:
        time.sleep(0.1)
        ours = [span for span in receiver.spans if span.trace_id.hex() == trace]
        spans = {span.name: span for span in ours}
    assert set(spans) == {"POST /api/v1/tasks", "task", "attempt"}
    request, above, below = (spans[name] for name in ("POST /api/v1/tasks", "task", "attempt"))
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert above.parent_span_id == request.span_id
    assert below.parent_span_id == above.span_id
    assert above.start_time_unix_nano <= below.start_time_unix_nano <= below.end_time_unix_nano
    assert above.status.code == 2  # ERROR
    facts = {each.key: each.value for each in below.attributes}
    assert facts["lapstrake.task"].int_value == task
    assert facts["lapstrake.exit_code"].int_value == 14
