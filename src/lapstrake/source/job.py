"""One source being fetched: what every handler gets, and what it gives back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from lapstrake.errors import FetchError
from lapstrake.host.process import Completed, run
from lapstrake.names import Digest
from lapstrake.source.cache import BusyError, DownloadCache
from lapstrake.source.cancellation import Cancellation
from lapstrake.source.rules import FetchRules
from lapstrake.source.spec import SourceSpec
from lapstrake.source.web import Web

_LONGEST_WAIT = 30.0
_PATIENCE = 1.0
"""Seconds between looks at whether a source that waits for another process was given up."""


class Stage(StrEnum):
    """What a source's event tells."""

    STARTED = "started"
    PROGRESS = "progress"
    WAITING = "waiting"
    RETRY = "retry"
    WARNING = "warning"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchEvent:
    """Something that happened to a source. Events of several sources come from several threads.

    Attributes:
        stage: what it is.
        spec: the source.
        text: for people: why there is a retry, what the warning is.
        done: bytes so far.
        total: bytes expected, or 0.
    """

    stage: Stage
    spec: SourceSpec
    text: str = ""
    done: int = 0
    total: int = 0


OnEvent = Callable[[FetchEvent], None]
"""Called with each event; it must be quick and may be called from any thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A source that is here and is what its checksum says.

    Attributes:
        spec: what was asked for.
        path: a file of the cache, never to be changed: the bytes as fetched, or, for a checkout, a
            tar of its tree that is the same for everybody who makes it.
        digest: SHA-256 of that file.
        size: its bytes.
        from_cache: whether no byte of it came over the network now.
        revision: of a checkout, the exact revision that its name stood for.
        url: where it came from, when it came.
    """

    spec: SourceSpec
    path: Path
    digest: Digest
    size: int
    from_cache: bool
    revision: str = ""
    url: str = ""


class CancelledError(FetchError):
    """The fetch was given up because another source failed."""


class AttemptError(FetchError):
    """An attempt failed.

    Attributes:
        status: the HTTP status, if there was an answer.
        headers: of that answer, names in lower case.
    """

    def __init__(
        self,
        brief: str,
        *,
        details: str = "",
        status: int = 0,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(brief, details=details)
        self.status = status
        self.headers = headers


class PassingError(AttemptError):
    """An attempt failed for a reason that may be gone the next time."""

    @property
    def wait(self) -> float:
        """Seconds the server asked us to wait, within reason."""
        after = self.headers.get("retry-after", "")
        return min(float(after), _LONGEST_WAIT) if after.isascii() and after.isdigit() else 0.0


class NotThereError(AttemptError):
    """An attempt failed, and so would the next one at this URL."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One source being fetched, with all a handler needs for it.

    Attributes:
        spec: the source.
        cache: where it goes.
        rules: how to fetch it.
        on_event: who is told.
        folder: the bundle's folder, below which plain paths are looked up.
        cancelled: set when it should give up.
        started: the clock when it began.
        web: the HTTP client, shared by the sources fetched together.
    """

    spec: SourceSpec
    cache: DownloadCache
    rules: FetchRules
    on_event: OnEvent
    folder: Path | None = None
    cancelled: Cancellation = field(default_factory=Cancellation)
    started: float = field(default_factory=time.monotonic)
    web: Web = field(default_factory=Web)

    @property
    def label(self) -> str:
        """The source in messages: where the bundle says it, and its name."""
        where = f"{self.spec.origin}: " if self.spec.origin else ""
        return f"{where}{self.spec.name or self.spec.url}"

    def tell(self, stage: Stage, text: str = "", *, done: int = 0, total: int = 0) -> None:
        """Send an event about this source."""
        self.on_event(FetchEvent(stage=stage, spec=self.spec, text=text, done=done, total=total))

    def remaining(self) -> float:
        """Seconds left.

        Raises:
            FetchError: none are.
            CancelledError: it should give up.
        """
        if self.cancelled.is_set():
            raise CancelledError(f"{self.label}: given up, because another source failed")
        left = self.started + self.rules.deadline - time.monotonic()
        if left <= 0:
            raise FetchError(
                f"{self.label}: not fetched within {self.rules.deadline:.0f} s",
                resolution="Try again: what came so far is kept, where the server can resume.",
            )
        return left

    def wait(self, seconds: float) -> None:
        """Pause before another attempt, unless it should give up."""
        self.cancelled.wait(min(seconds, self.remaining()))
        self.remaining()

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Be the only one that fetches something; others are waited for, within the time."""
        with ExitStack() as held:
            while True:
                patience = min(_PATIENCE, self.remaining())
                try:
                    held.enter_context(self.cache.lock(what, timeout=patience))
                    break
                except BusyError as busy:
                    self.tell(Stage.WAITING, busy.brief)
            yield

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        allowed: Sequence[int] = (0,),
    ) -> Completed:
        """Run a program of the host for this source: within its time, killed when it is given up.

        Raises:
            FetchError: it failed; the details are its last lines.
        """
        with ExitStack() as watched:
            try:
                return run(
                    argv, timeout=self.remaining(), error=FetchError, doing=self.label, env=env,
                    cwd=cwd, allowed=allowed,
                    on_started=lambda kill: _watch(watched, self.cancelled, kill),
                )  # fmt: skip
            except FetchError:
                self.remaining()  # when it was killed for being given up, say that
                raise

    def need_network(self) -> None:
        """Refuse to go on when only the cache may be used.

        Raises:
            FetchError: offline.
        """
        if self.rules.offline:
            raise FetchError(
                f"{self.label} is not in the download cache, and the network may not be used",
                details=f"{self.spec.url} (cache: {self.cache.root})",
                resolution="Fetch it first with --fetch-only, or leave --offline out.",
            )


def _watch(watched: ExitStack, cancelled: Cancellation, kill: Callable[[], None]) -> None:
    watched.enter_context(cancelled.calling(kill))
