"""Webhooks: signed, tried again, at least once; to a real receiver."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lapstrake.farm.problems import Invalid, Unknown
from lapstrake.farm.tables.database import Database
from lapstrake.farm.tables.migrate import upgrade
from lapstrake.farm.tables.rows import EventRow
from lapstrake.farm.webhooks.addresses import check_url, reachable
from lapstrake.farm.webhooks.sending import Sender
from lapstrake.farm.webhooks.store import Webhooks


class Receiver(BaseHTTPRequestHandler):
    """Keeps what comes; answers what it is told to."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), body))  # type: ignore[attr-defined]
        answers: list[int] = self.server.answers  # type: ignore[attr-defined]
        self.send_response(answers.pop(0) if answers else 204)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tests print enough."""


class Told:
    """A farm's events and webhooks, and somebody who hears of them."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.database = Database(f"sqlite:///{folder / 'farm.db'}")
        upgrade(self.database)
        self.webhooks = Webhooks(self.database, lambda: self.now)
        self.sender = Sender(self.webhooks, private=True, clock=lambda: self.now)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.server.heard, self.server.answers = self.heard, self.answers  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def happen(self, kind: str) -> None:
        with self.database.write() as session:
            session.add(EventRow(at=self.now, kind=kind, task=7, text="it happened"))

    def close(self) -> None:
        self.sender.close()
        self.server.shutdown()
        self.server.server_close()
        self.database.close()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = Told(tmp_path)
    yield made
    made.close()


def test_an_event_arrives_signed_and_once(told: Told) -> None:
    told.happen("task.queued")  # before anybody asked
    webhook, secret = told.webhooks.add(told.url, ["task.*"])
    told.happen("task.success")
    told.happen("worker.online")
    told.sender.tick()
    told.sender.tick()
    ((headers, body),) = told.heard
    signed = headers["Lapstrake-Timestamp"].encode() + b"." + body
    expected = hmac.digest(secret.encode(), signed, "sha256").hex()
    assert headers["Lapstrake-Signature"] == f"v1={expected}"
    assert (headers["Lapstrake-Event"], json.loads(body)["task"]) == ("task.success", 7)
    (delivery,) = told.webhooks.deliveries(webhook.id).items
    assert (delivery.status, delivery.error, delivery.tries, delivery.due) == (204, "", 1, 0.0)


def test_what_does_not_arrive_is_tried_again(told: Told) -> None:
    webhook, _ = told.webhooks.add(told.url)
    told.answers[:] = [500, 302]
    told.happen("task.failed")
    told.sender.tick()
    told.sender.tick()  # too early
    assert len(told.heard) == 1
    told.now += 11
    told.sender.tick()  # a redirect is not followed
    told.now += 31
    told.sender.tick()
    assert len(told.heard) == 3
    assert len({headers["Lapstrake-Delivery"] for headers, _ in told.heard}) == 1
    (delivery,) = told.webhooks.deliveries(webhook.id).items
    assert (delivery.tries, delivery.status, delivery.due) == (3, 204, 0.0)


def test_a_receiver_that_is_gone_is_given_up(told: Told) -> None:
    webhook, _ = told.webhooks.add(told.url)
    told.answers[:] = [410]
    told.webhooks.ping(webhook.id)
    told.sender.tick()
    told.now += 1e6
    told.sender.tick()
    assert len(told.heard) == 1
    told.webhooks.remove(webhook.id)
    with pytest.raises(Unknown):
        told.webhooks.deliveries(webhook.id)


def test_the_servers_own_network_is_not_told(told: Told) -> None:
    careful = Sender(told.webhooks, private=False, clock=lambda: told.now)
    webhook, _ = told.webhooks.add(told.url)
    told.webhooks.ping(webhook.id)
    careful.tick()
    careful.close()
    assert not told.heard
    (delivery,) = told.webhooks.deliveries(webhook.id).items
    assert "farm.webhook_private" in delivery.error


@pytest.mark.parametrize(
    "url",
    ["ftp://x/", "http://", "http://u:p@x/", "http://x/#y", "x", "http://x:99999/", "http://é/"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_private_addresses_are_known(host: str) -> None:
    with pytest.raises(OSError, match="own network"):
        reachable(check_url(f"http://{host}/"), private=False)
