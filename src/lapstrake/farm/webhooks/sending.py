"""Deliveries on their way: tried, and tried again later and later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2

from lapstrake import __version__
from lapstrake.farm.tables.access_rows import DeliveryRow, WebhookRow
from lapstrake.farm.webhooks.addresses import check_url, reachable
from lapstrake.farm.webhooks.base import headers
from lapstrake.farm.webhooks.store import Webhooks

_SECONDS = 10.0
"""A receiver has so long to answer."""
_AT_ONCE = 50
_THREADS = 8
_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 6 * 3600.0
_TRIES = 12
"""About a day and a half in all."""
_GONE = 410
_KEPT_SECONDS = 30 * 86400.0


class Sender:
    """Sends what is due.

    Args:
        webhooks: have it.
        private: whether receivers in the server's own network are good, too.
        clock: the time.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        *,
        private: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._webhooks = webhooks
        self._private = private
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, "webhook")
        self._stopping = threading.Event()
        self._client = httpx2.Client(
            trust_env=False, follow_redirects=False, timeout=httpx2.Timeout(_SECONDS)
        )

    def tick(self) -> None:
        """Make deliveries of what happened, and send those that are due."""
        self._webhooks.gather()
        while not self._stopping.is_set():
            due = self._webhooks.due(_AT_ONCE)
            list(self._threads.map(self._send, *zip(*due, strict=True)) if due else ())
            if len(due) < _AT_ONCE:
                return

    def prune(self) -> None:
        """Forget old deliveries."""
        self._webhooks.prune(self._clock() - _KEPT_SECONDS)

    def close(self) -> None:
        """Begin no more."""
        self._stopping.set()
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def _send(self, delivery: DeliveryRow, webhook: WebhookRow) -> None:
        if self._stopping.is_set():
            return
        status, error = 0, ""
        try:
            status = self._post(delivery, webhook)
            if not 200 <= status < 300:
                error = f"the receiver answered {status}"
        except (OSError, httpx2.HTTPError, ValueError) as failed:
            error = str(failed) or type(failed).__name__
        over = not error or status == _GONE or delivery.tries + 1 >= _TRIES
        again = 0.0 if over else min(_FIRST_PAUSE * 3**delivery.tries, _LONGEST_PAUSE)
        self._webhooks.note(delivery.id, status=status, error=error, again=again)

    def _post(self, delivery: DeliveryRow, webhook: WebhookRow) -> int:
        """Send one; gives the answer's status.

        Raises:
            OSError, httpx2.HTTPError: it did not arrive.
        """
        parts = check_url(webhook.url)
        address = reachable(parts, private=self._private)
        shown = headers(
            kind=delivery.kind,
            delivery=delivery.id,
            secret=webhook.secret,
            moment=int(self._clock()),
            body=delivery.body,
        )
        port = f":{parts.port}" if parts.port else ""
        netloc = (f"[{address}]" if ":" in address else address) + port
        request = self._client.build_request(
            "POST",
            parts._replace(netloc=netloc).geturl(),
            content=delivery.body,
            headers={
                **shown,
                "Host": parts.netloc,
                "User-Agent": f"lapstrake/{__version__}",
            },
            extensions={"sni_hostname": parts.hostname or ""},
        )
        answer = self._client.send(request, stream=True)  # its body is nobody's business
        answer.close()
        return answer.status_code
