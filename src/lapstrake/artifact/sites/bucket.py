"""Archives in a bucket: ``PREFIX/FILE``, and perhaps ``FILE.sha256`` beside it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lapstrake.artifact.base import BucketSite
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.artifact.sites.others import describe_others
from lapstrake.artifact.sites.transfer import verify_sha256
from lapstrake.errors import ConfigError
from lapstrake.progress import Progress

if TYPE_CHECKING:
    from obstore import Bytes, GetOptions, ObjectMeta

    from lapstrake.blobs.bucket import Bucket

T = TypeVar("T")

DIGEST_SUFFIX = ".sha256"
"""What is behind an archive's name for the file that vouches for it, as sha256sum(1) writes it."""
_PIECE = 4 << 20
_LONGEST_DIGEST = 4096  # bytes of the file, whose name comes behind the digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPlace:
    """The object that the archive should be."""

    url: str
    identity: Identity

    @property
    def where(self) -> str:
        """The address, for people."""
        return f"{self.url.rstrip('/')}/{self.identity.file_name}"

    def get(self, target: Path, terms: Terms, progress: Progress) -> None:  # noqa: ARG002
        """See `lapstrake.artifact.sites.base.Candidate.get`."""
        terms.need_network()
        with judged():
            bucket = opened(self.url, terms)
            try:
                found = answered(terms, lambda: bucket.head(self.identity.file_name))
            except FileNotFoundError as missing:
                others = answered(terms, lambda: self._others(bucket))
                raise NotThereError(f"no such object{others}") from missing
            if found["size"] > terms.largest:
                raise SiteError(f"it has {found['size']} bytes, {terms.largest} are the most")
            _fill(bucket, found, target, terms)
            said = answered(terms, lambda: read_digest(bucket, self.identity.file_name))
            if said is not None:
                verify_sha256(target, said)

    def _others(self, bucket: Bucket) -> str:
        """What there is of the same package, in words."""
        from obstore.exceptions import BaseError

        with contextlib.suppress(BaseError, FileNotFoundError):  # not everybody may list
            return describe_others(self.identity, _names(bucket, f"{self.identity.package}-"))
        return ""


def plan_bucket(site: BucketSite, identity: Identity) -> tuple[BucketPlace]:
    """The object that the archive should be."""
    return (BucketPlace(url=site.url, identity=identity),)


def opened(url: str, terms: Terms) -> Bucket:
    """A bucket, on a site's terms.

    Raises:
        ConfigError: as of `lapstrake.blobs.bucket.open_bucket`.
    """
    from lapstrake.blobs.bucket import open_bucket

    silence = timedelta(seconds=terms.timeout)
    return open_bucket(
        url,
        retries=terms.retries,
        patience=terms.timeout,
        client={
            "timeout": silence,
            "connect_timeout": min(silence, timedelta(seconds=15)),
            "user_agent": "lapstrake",
            "allow_http": True,  # the environment says which server, as to other clients
        },
    )


def answered(terms: Terms, ask: Callable[[], T]) -> T:
    """Wait for the library, which knows of no signal, in a way that signals can end.

    Args:
        terms: what is given up with them is given up here.
        ask: what is asked; goes on unheard when it is given up.

    Raises:
        SiteError: given up.
    """
    answer: Future[T] = Future()

    def work() -> None:
        with contextlib.suppress(InvalidStateError):  # given up meanwhile
            try:
                answer.set_result(ask())
            except BaseException as failed:  # noqa: BLE001 - raised where it is waited for
                answer.set_exception(failed)

    def give_up() -> None:
        with contextlib.suppress(InvalidStateError):
            answer.set_exception(SiteError("given up"))

    with terms.cancelled.calling(give_up):
        threading.Thread(target=work, daemon=True).start()
        return answer.result()


@contextlib.contextmanager
def judged() -> Iterator[None]:
    """Say in one line what a storage refused.

    Raises:
        SiteError: in place of the library's errors, and of those about credentials.
    """
    from obstore.exceptions import BaseError

    from lapstrake.blobs.bucket import first_line

    try:
        yield
    except BaseError as failed:
        raise SiteError(first_line(failed)) from failed
    except ConfigError as failed:
        raise SiteError(failed.brief) from failed


def _fill(bucket: Bucket, found: ObjectMeta, target: Path, terms: Terms) -> None:
    """Get an object, piece by piece; what is there of the very same object is gone on with."""
    facts = target.with_suffix(".json")  # as other downloads keep theirs
    same = json.dumps([found["e_tag"], found["size"], found["last_modified"].isoformat()])
    if not (target.exists() and facts.exists() and facts.read_text() == same):
        target.write_bytes(b"")
        facts.write_text(same)
    with target.open("ab") as file:
        while (start := file.tell()) < found["size"]:
            end = min(start + _PIECE, found["size"])
            options: GetOptions = {"range": (start, end), "if_match": found["e_tag"]}
            file.write(answered(terms, partial(_piece, bucket, found["path"], options)))
            terms.on_bytes(file.tell(), found["size"])
    facts.unlink()


def _piece(bucket: Bucket, path: str, options: GetOptions) -> Bytes:
    return bucket.get(path, options=options).bytes()


def read_digest(bucket: Bucket, name: str) -> str | None:
    """What an archive's bytes are, as the file beside it says, if there is one."""
    try:
        found = bucket.get(name + DIGEST_SUFFIX)
        said = bytes(found.bytes()) if found.meta["size"] <= _LONGEST_DIGEST else b""
    except FileNotFoundError:
        return None
    return said[:64].decode("ascii", "replace") or "nothing"


def _names(bucket: Bucket, beginning: str) -> Iterator[str]:
    """The names that begin so; buckets are listed in their order."""
    for page in bucket.list(offset=beginning, chunk_size=1000):
        for each in page:
            if not each["path"].startswith(beginning):
                return
            yield each["path"]
