"""One blob on its way to a registry: asked for, mounted, or sent, going on where it broke off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin, urlsplit

from lapstrake.errors import RegistryError
from lapstrake.oci.answer import PASSING, Answer, Broken, refusal
from lapstrake.oci.client import RegistryClient
from lapstrake.oci.descriptors import Descriptor

Read = Callable[[int], Iterator[bytes]]
"""The bytes of a blob, from a position on."""

_MOST_FAILURES = 6
_TOLD_EVERY = 16 << 20
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})\Z")
_AGAIN = PASSING | {404, 409, 416}
"""What an upload may be answered with without being at its end: it is lost, still in the hands of
the request that broke, or at another byte."""


@dataclass(slots=True, kw_only=True)
class Session:
    """An upload as the registry knows it: where to send to, and how much it has."""

    url: str
    offset: int = 0


def has_blob(client: RegistryClient, blob: Descriptor) -> bool:
    """Whether the repository has a blob already."""
    answer = client.call(
        "HEAD", f"blobs/{blob.digest}", doing=f"looking for {blob.digest}", allowed=(200, 404)
    )
    return answer.status == 200


def begin(client: RegistryClient, blob: Descriptor, *, known_in: str = "") -> Session | None:
    """Begin an upload.

    Args:
        client: the repository.
        blob: what is going to be sent.
        known_in: another repository of the registry that may have it.

    Returns:
        ``None`` when the registry took it from there.
    """
    doing = f"beginning to push {blob.digest}"
    if known_in:
        query = urlencode({"mount": str(blob.digest), "from": known_in})
        with suppress(RegistryError):  # we may not read there, or it is gone
            answer = client.call("POST", f"blobs/uploads/?{query}", doing=doing, allowed=(201, 202))
            return _session(answer) if answer.status == 202 else None
    return _session(client.call("POST", "blobs/uploads/", doing=doing, allowed=(202,)))


def send_blob(
    client: RegistryClient,
    blob: Descriptor,
    session: Session,
    *,
    read: Read,
    on_sent: Callable[[int], None],
) -> None:
    """Send a blob; a broken connection is taken up at the byte that the registry has.

    Args:
        client: the repository.
        blob: what is sent.
        session: what `begin` gave.
        read: gives its bytes from one on.
        on_sent: told now and then how many bytes are on their way.

    Raises:
        RegistryError: it broke too often, or the registry refuses.
    """
    for count in range(_MOST_FAILURES):
        try:
            _send_rest(client, blob, session, read, on_sent)
            _finish(client, blob, session)
        except Broken as broken:
            if count == _MOST_FAILURES - 1 or client.stopped:
                raise RegistryError(f"pushing {blob.digest}: {broken}") from broken
            client.pause(count)
            session = _resumed(client, blob, session)
        else:
            return


def _send_rest(
    client: RegistryClient,
    blob: Descriptor,
    session: Session,
    read: Read,
    on_sent: Callable[[int], None],
) -> None:
    """Send what the registry has not got yet, in one request."""
    start = session.offset

    def rest() -> Iterator[bytes]:
        sent = told = start
        for piece in read(start):
            if client.stopped:
                raise Broken("given up")
            yield piece
            sent += len(piece)
            if sent - told >= _TOLD_EVERY:
                told = sent
                on_sent(sent)

    if start == blob.size:
        return
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(blob.size - start),
    }
    if start:  # older registries know a stream from the beginning only without a range
        headers["Content-Range"] = f"{start}-{blob.size - 1}"
    answer = client.send("PATCH", session.url, body=rest, headers=headers)
    _judge(answer, (202,), blob)
    session.url, session.offset = _session(answer).url, blob.size


def _finish(client: RegistryClient, blob: Descriptor, session: Session) -> None:
    """Say what the bytes should be; the registry compares."""
    joint = "&" if urlsplit(session.url).query else "?"
    url = f"{session.url}{joint}{urlencode({'digest': str(blob.digest)})}"
    _judge(client.send("PUT", url), (201, 204), blob)


def _judge(answer: Answer, allowed: tuple[int, ...], blob: Descriptor) -> None:
    if answer.status in _AGAIN:
        raise Broken(str(refusal(answer, "")).removeprefix(": "))
    if answer.status not in allowed:
        raise refusal(answer, f"pushing {blob.digest}")


def _resumed(client: RegistryClient, blob: Descriptor, session: Session) -> Session:
    """Ask how much came; a registry that cannot say gets it from the beginning.

    So does one that says ``0-0``, of nothing at all: what the broken request brought may still be
    on its way into that upload, and a stream without a range would be put behind it.
    """
    try:
        answer = client.send("GET", session.url)
        came = _RANGE.match(answer.headers.get("range", ""))
        if answer.status == 204 and came and (last := int(came[1])):
            return Session(url=_session(answer, session.url).url, offset=last + 1)
    except Broken:
        pass
    return begin(client, blob) or session


def _session(answer: Answer, default: str = "") -> Session:
    location = answer.headers.get("location", default)
    if not location:
        raise RegistryError(f"{answer.url}: the registry does not say where to send to")
    try:
        return Session(url=urljoin(answer.url, location))
    except ValueError:
        raise RegistryError(f"{answer.url}: {location[:200]!r} is no address to send to") from None
