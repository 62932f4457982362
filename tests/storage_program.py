"""moto's S3 as a program that takes the tokens of Google's client for credentials, too."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

_MOTO: Any = DomainDispatcherApplication(create_backend_app)
_SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, Signature=0"


def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer everybody."""
    if not environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4-"):
        environ["HTTP_AUTHORIZATION"] = _SIGNED
    answered: Iterable[bytes] = _MOTO(environ, start_response)
    return answered


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), answer, threaded=True)
