"""What is remembered of every build: inputs, how it went, what it used, what came out."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lapstrake.errors import Interrupted, LapstrakeError, StoreError, UsageError
from lapstrake.host import files
from lapstrake.host.locks import locked
from lapstrake.host.usage import Sample, Usage

_NAME = "record.json"
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError)
"""What reading a record raises that was cut short or written by somebody else."""
_LOG = "build.log"
_RUNNING = "running"
_ID = re.compile(r"[0-9]{8}-[0-9]{6,9}-[A-Za-z0-9.+_-]+\Z")


class BuildState(StrEnum):
    """How a build stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file that a build made: its name, bytes, SHA-256, and what publishing made of it."""

    name: str
    size: int
    sha256: str
    published: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """One build.

    Attributes:
        id: ``YYYYMMDD-HHMMSSmmm-NAME-XXXX``, in UTC, to the millisecond; sorts by time.
        bundle: as it was asked for.
        name: the bundle's own name.
        version: the bundle's version.
        branch: the branch's name.
        arch: the architecture.
        runner: which runner.
        state: how it stands.
        started: seconds since the epoch.
        finished: seconds since the epoch; 0 while it runs.
        inputs: what it was made from: layers, sources, options, and the reason of each.
        outputs: what it made.
        usage: what it used.
        step: the driver's step that failed; ``publish`` when it was ours.
        exit_code: of the command line; see `lapstrake.errors`.
        error: the first line of what went wrong.
    """

    id: str
    bundle: str
    branch: str
    arch: str
    runner: str
    name: str = ""
    version: str = ""
    state: BuildState = BuildState.RUNNING
    started: float = field(default_factory=time.time)
    finished: float = 0.0
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    usage: Usage = field(default_factory=Usage)
    step: str = ""
    exit_code: int = 0
    error: str = ""

    @property
    def seconds(self) -> float:
        """How long it took, or takes so far."""
        return (self.finished or time.time()) - self.started


class Records:
    """The folder of build records: ``work_dir/builds/ID/{record.json,build.log,output/}``.

    A file ``running`` beside them is locked by the build's process, so that the end of one that was
    killed is seen at once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new_id(self, name: str) -> str:
        """A name for a new build, and its folder."""
        now = time.time()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)) + f"{int(now * 1000) % 1000:03}"
        short = re.sub(r"[^A-Za-z0-9.+_-]", "-", name)[:40].strip("-") or "build"
        build_id = f"{stamp}-{short}-{os.urandom(2).hex()}"
        (self.folder / build_id).mkdir(parents=True)
        return build_id

    @contextmanager
    def running(self, build_id: str) -> Iterator[None]:
        """Let everybody know that a build runs, for as long as the block does."""
        mark = self.folder / build_id / _RUNNING
        with locked(mark, what=f"the build {build_id}"):
            try:
                yield
            finally:
                mark.unlink(missing_ok=True)

    def write(self, record: BuildRecord) -> None:
        """Write a record, or its newer version."""
        text = json.dumps(asdict(record), indent=1).encode() + b"\n"
        try:
            files.write_atomic(self.folder / record.id / _NAME, text, durable=False)
        except OSError as refused:
            what = f"writing the record {self.folder / record.id}"
            raise files.disk_error(refused, doing=what) from refused

    def log_path(self, build_id: str) -> Path:
        """Where a build's log is."""
        return self.folder / build_id / _LOG

    def ids(self) -> tuple[str, ...]:
        """All builds, newest first."""
        if not self.folder.is_dir():
            return ()
        names = (entry.name for entry in os.scandir(self.folder))
        return tuple(sorted((name for name in names if _ID.match(name)), reverse=True))

    def records(self) -> Iterator[BuildRecord]:
        """All records that can be read, newest first."""
        for build_id in self.ids():
            record = self.read(build_id)
            if record is not None:
                yield record

    def read(self, build_id: str) -> BuildRecord | None:
        """One record; a running one whose process is gone counts as interrupted."""
        record = self._load(build_id)
        if record is None or record.state is not BuildState.RUNNING or self._is_held(build_id):
            return record
        record = self._load(build_id)  # it may have ended between the two looks
        if record is None or record.state is not BuildState.RUNNING:
            return record
        log = self.log_path(build_id)
        return replace(
            record,
            state=BuildState.INTERRUPTED,
            finished=log.stat().st_mtime if log.exists() else record.started,
            error="its process was killed",
        )

    def _load(self, build_id: str) -> BuildRecord | None:
        try:
            document = json.loads((self.folder / build_id / _NAME).read_bytes())
            return _record(document)
        except (FileNotFoundError, *_DAMAGED):
            return None

    def _is_held(self, build_id: str) -> bool:
        """Whether a build's process lives."""
        mark = self.folder / build_id / _RUNNING
        if not mark.exists():
            return False
        try:
            with locked(mark, what=build_id, exclusive=False, timeout=0):
                return False
        except StoreError:
            return True

    def find(self, text: str) -> BuildRecord:
        """Find a build by its id, the beginning of it, or the newest of a bundle's name.

        Raises:
            UsageError: there is none, or several begin so.
        """
        matching = (
            [build_id for build_id in self.ids() if build_id.startswith(text)] if text else []
        )
        if len(matching) > 1:
            raise UsageError(
                f"{len(matching)} builds begin with {text}", details="\n".join(matching)
            )
        for record in [self.read(matching[0])] if matching else self.records():
            if record is not None and (
                matching or not text or text in {record.name, record.bundle}
            ):
                return record
        raise UsageError(
            f"there is no build {text!r}" if text else "nothing was built yet",
            resolution="`lapstrake history` lists the builds.",
        )


def _record(document: dict[str, Any]) -> BuildRecord:
    samples = document["usage"].pop("samples")
    usage = Usage(**document["usage"], samples=tuple(Sample(**row) for row in samples))
    outputs = tuple(Output(**row) for row in document["outputs"])
    state = BuildState(document["state"])
    return BuildRecord(**{**document, "usage": usage, "outputs": outputs, "state": state})


def finished(record: BuildRecord, error: BaseException | None) -> BuildRecord:
    """The record of a build that has ended, well or not."""
    ended = replace(record, finished=time.time())
    if error is None:
        return replace(ended, state=BuildState.SUCCEEDED)
    interrupted = not isinstance(error, Exception)
    code, said = 1, repr(error)
    if isinstance(error, LapstrakeError | Interrupted):
        code, said = error.exit_code, error.brief
    return replace(
        ended,
        state=BuildState.INTERRUPTED if interrupted else BuildState.FAILED,
        exit_code=code,
        error=said,
    )
