"""Take a farm's webhooks, and believe none that is not signed. Python's own library is enough.

    LAPSTRAKE_WEBHOOK_SECRET=... python webhook_receiver.py 8080

The secret is what the farm answered when the webhook was made:

    curl -H "Authorization: Bearer $LAPSTRAKE_TOKEN" -H "Content-Type: application/json" \
        -d '{"url": "https://ci.example.org/hook", "events": ["task.success", "task.failed"]}' \
        $LAPSTRAKE_SERVER/api/v1/webhooks
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OLDEST = 300  # seconds: who has heard an old delivery cannot send it again
LARGEST = 1 << 20


def is_genuine(secret: str, timestamp: str, signature: str, body: bytes) -> bool:
    """Whether the farm sent this, and not long ago."""
    try:
        fresh = abs(time.time() - int(timestamp)) < OLDEST
    except ValueError:
        return False
    signed = timestamp.encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return fresh and hmac.compare_digest(f"v1={expected}".encode(), signature.encode())


class Receiver(BaseHTTPRequestHandler):
    """Prints what is genuine; a delivery may come twice, its id is the same then."""

    def do_POST(self) -> None:
        """Take one delivery."""
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= LARGEST:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        told = self.headers.get("Lapstrake-Timestamp", "")
        signature = self.headers.get("Lapstrake-Signature", "")
        if not is_genuine(os.environ["LAPSTRAKE_WEBHOOK_SECRET"], told, signature, body):
            self.send_error(401, "the signature is not the farm's")
            return
        kind, delivery = self.headers["Lapstrake-Event"], self.headers["Lapstrake-Delivery"]
        print(delivery, kind, json.dumps(json.loads(body)), flush=True)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()
