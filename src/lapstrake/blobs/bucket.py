"""Buckets of object storages, opened by their URL.

Credentials and addresses come from the environment, as the providers' own clients take them
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ``GOOGLE_APPLICATION_CREDENTIALS`` ...).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import GCSStore, S3Store

from lapstrake.errors import ConfigError

if TYPE_CHECKING:
    from obstore.store import ClientConfig

Bucket: TypeAlias = "S3Store | GCSStore"

_CAUSE = re.compile(r'(?:message|error): "([^"]+)"')
_RECKONING = re.compile(r" in [0-9.]+[a-zµ]*s(?:, after .*?retry_timeout: \S+)? +- ")
_KINDS = {"s3": S3Store, "gs": GCSStore}


def open_bucket(
    url: str, *, retries: int, patience: float, client: ClientConfig | None = None
) -> Bucket:
    """Open ``s3://BUCKET/PREFIX`` or ``gs://BUCKET/PREFIX``; nothing is asked of it yet.

    Args:
        url: the storage, and what all names in it begin with.
        retries: more attempts at a request, where it may work another time.
        patience: seconds after which there are no more.
        client: of the HTTP client.

    Raises:
        ConfigError: the URL names no storage, or the environment lacks what the provider needs.
    """
    parts = urlsplit(url)
    if parts.scheme not in _KINDS or not parts.netloc:
        raise ConfigError(
            f"{url!r} is no storage", resolution="Give s3://BUCKET/PREFIX or gs://BUCKET/PREFIX."
        )
    try:
        bucket: Bucket = _KINDS[parts.scheme](
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options=client,
            retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=patience)},
        )
        return bucket
    except BaseError as failed:
        raise ConfigError(
            f"{url} cannot be opened",
            details=first_line(failed),
            resolution="Set the variables that the provider's own client reads.",
        ) from failed


def first_line(failed: BaseError) -> str:
    """What the library says, without its value's debugging form, from which comes the cause."""
    said, _, debugging = str(failed).strip().partition("\n")
    if "169.254.169.254" in said:  # where machines of a provider get theirs
        return "the environment has no credentials, and this is no machine of the provider"
    causes = _CAUSE.findall(debugging)
    if "kind: Timeout" in debugging:
        causes = ["timed out"]
    return ": ".join((_RECKONING.sub(": ", said), *causes[-1:]))
