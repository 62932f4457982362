"""Get manifests and blobs: compared with their digests; a broken transfer is gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lapstrake.errors import RegistryError
from lapstrake.names import Digest
from lapstrake.oci.answer import PASSING, Broken, answer_of, refusal, wished_pause
from lapstrake.oci.client import RegistryClient
from lapstrake.oci.descriptors import OCI_MANIFEST, Descriptor

if TYPE_CHECKING:
    import httpx2

OnBytes = Callable[[int, int], None]
"""Told how many bytes are there, of how many."""

_TOLD_EVERY = 1 << 20
_WORTH_ANOTHER = 8 << 20  # bytes after which a connection may break without counting
_MOST_TAGS = 10_000


def get_manifest(
    client: RegistryClient, reference: str, *, accept: str = OCI_MANIFEST
) -> dict[str, Any] | None:
    """Get a manifest.

    Args:
        client: the repository, connected.
        reference: a tag or a digest.
        accept: its media types.

    Returns:
        the document; ``None`` when there is none.

    Raises:
        RegistryError: the registry refuses, or what came is not what its digest says, or no JSON.
    """
    doing = f"getting the manifest {reference} of {client.repository}"
    answer = client.call(
        "GET",
        f"manifests/{reference}",
        doing=doing,
        allowed=(200, 404),
        headers={"Accept": accept},
    )
    if answer.status == 404:
        return None
    said = reference if ":" in reference else answer.headers.get("docker-content-digest", "")
    if said.startswith("sha256:") and hashlib.sha256(answer.body).hexdigest() != said[7:]:
        raise RegistryError(f"{doing}: what came is not what its digest says")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as damaged:
        raise RegistryError(f"{doing}: what came is no manifest") from damaged
    if not isinstance(document, dict):
        raise RegistryError(f"{doing}: what came is no manifest")
    return document


def list_tags(client: RegistryClient) -> tuple[str, ...]:
    """The repository's tags, as far as the registry tells them; none when there is no repository.

    Raises:
        RegistryError: the registry refuses, or does not answer as the specification says.
    """
    found: dict[str, None] = {}
    last = ""
    while len(found) < _MOST_TAGS:
        answer = client.call(
            "GET",
            f"tags/list?n=1000&last={last}" if last else "tags/list?n=1000",
            doing=f"listing the tags of {client.repository}",
            allowed=(200, 404),
        )
        page = _tags(answer.body) if answer.status == 200 else []
        new = [tag for tag in page if tag not in found]
        found.update(dict.fromkeys(new))
        if not new or "link" not in answer.headers:  # RFC 8288: there is a next page
            break
        last = new[-1]
    return tuple(found)


def _tags(body: bytes) -> list[str]:
    try:
        return [str(tag) for tag in json.loads(body)["tags"] or ()]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def get_blob(
    client: RegistryClient,
    blob: Descriptor,
    target: Path,
    *,
    retries: int = 3,
    on_bytes: OnBytes = lambda _done, _total: None,
) -> None:
    """Get a blob into a file, going on behind what is in it already.

    When what the file then holds is something else, it is fetched once more, from its beginning.

    Args:
        client: the repository, connected.
        blob: which, and how large it is: not a byte more is taken.
        target: the file; it stays after errors that may pass, for the next attempt.
        retries: attempts after the first; one that brought much does not count.
        on_bytes: told now and then.

    Raises:
        RegistryError: it cannot be had, or is not what its digest says (then the file is gone).
        OSError: the disk is full.
    """
    fresh = not target.exists() or target.stat().st_size > blob.size
    if fresh:
        target.write_bytes(b"")
    getting = _Getting(client=client, blob=blob, target=target, on_bytes=on_bytes)
    for last in (fresh, True):
        getting.fill(retries)
        if _is(target, blob.digest):
            return
        if last:
            target.unlink()
            raise RegistryError(f"{getting.doing}: what came is not what its digest says")
        target.write_bytes(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Getting:
    """One blob on its way into a file."""

    client: RegistryClient
    blob: Descriptor
    target: Path
    on_bytes: OnBytes

    @property
    def doing(self) -> str:
        return f"getting {self.blob.digest} of {self.client.repository}"

    @property
    def done(self) -> int:
        return self.target.stat().st_size

    def fill(self, retries: int) -> None:
        """Append to the file until it has all bytes."""
        failures = 0
        while (start := self.done) < self.blob.size:
            try:
                self._append(start)
                if self.done < self.blob.size:
                    raise Broken("the answer ended too soon")
            except Broken as broken:
                failures = 0 if self.done - start >= _WORTH_ANOTHER else failures + 1
                if failures > retries or self.client.stopped:
                    raise RegistryError(f"{self.doing}: {broken}") from broken
                self.client.pause(failures, seconds=broken.wish)

    def _append(self, start: int) -> None:
        """One request for what is missing; a registry that knows no ranges gives all of it."""
        # What is counted must be what is written: nobody may compress it on the way.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with self.client.open("GET", f"blobs/{self.blob.digest}", headers=headers) as response:
            begin = _beginning(response, start, self.doing)
            with self.target.open("r+b") as file:
                file.seek(begin)
                file.truncate()
                self._write(response.iter_raw(), file, begin)

    def _write(self, pieces: Iterator[bytes], file: BinaryIO, begin: int) -> None:
        done = told = begin
        size = self.blob.size
        for piece in pieces:
            done += len(piece)
            if done > size:
                raise RegistryError(f"{self.doing}: more than {size} bytes came")
            file.write(piece)
            if done - told >= _TOLD_EVERY or done == size:
                told = done
                self.on_bytes(done, size)


def _beginning(response: httpx2.Response, start: int, doing: str) -> int:
    """At which byte an answer begins."""
    status = response.status_code
    if status == 200:
        return 0
    said = response.headers.get("Content-Range", "")
    if status == 206 and start and said.startswith(f"bytes {start}-"):
        return start
    answer = answer_of(response)
    if status in PASSING:
        raise Broken(f"status {status}", wished_pause(answer))
    raise refusal(answer, doing)


def _is(file: Path, digest: Digest) -> bool:
    """Whether a file's bytes have a digest."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, digest.algorithm).hexdigest() == digest.hex
