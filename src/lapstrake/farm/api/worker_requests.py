"""What workers may say: bounded, since who has a worker's token need not be a good worker.

Keys that are not known are passed over: a worker may be newer than its server.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lapstrake.farm.api.requests import LARGEST, Word
from lapstrake.farm.values.attempts import Peaks, ResourceSample, Result
from lapstrake.farm.values.tasks import OutputFile
from lapstrake.farm.values.workers import Heartbeat, Slot, SlotState, WorkerFacts

_MOST_SLOTS = 1024
_MOST_OUTPUTS = 10_000
_LONGEST_LINE, _LONGEST_TEXT = 1000, 100_000
_LARGEST_INPUTS = 4 << 20
"""Characters of JSON."""


def _one_line(text: str) -> str:
    """What can be shown anywhere: cut off, and without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST_LINE])


def _lines(text: str) -> str:
    """The same of several lines."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text[-_LONGEST_TEXT:])


def _some(inputs: dict[str, Any]) -> dict[str, Any]:
    written = json.dumps(inputs)
    if len(written) > _LARGEST_INPUTS or "\\u0000" in written:
        raise ValueError("too large, or with a NUL")
    return inputs


Line = Annotated[str, AfterValidator(_one_line)]
Lines = Annotated[str, AfterValidator(_lines)]
Amount = Annotated[int, Field(ge=0, le=LARGEST)]
Number = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Words = Annotated[tuple[Word, ...], Field(max_length=64)]
Short = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Small = Annotated[int, Field(ge=0, le=2**31 - 1)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class FactsBody(_Said):
    """See `lapstrake.farm.values.workers.WorkerFacts`."""

    name: Short
    incarnation: Word
    arches: Annotated[tuple[Word, ...], Field(max_length=32)]
    emulated: Words = ()
    capabilities: Words = ()
    pool: Word | Annotated[str, Field(max_length=0)] = ""
    slots: Annotated[int, Field(ge=1, le=_MOST_SLOTS)] = 1
    cores: Annotated[int, Field(ge=1, le=65536)] = 1
    memory: Amount = 0
    disk: Amount = 0
    version: Line = ""
    protocol: Small = 1
    clock: Number = 0.0
    embedded: bool = False
    replaces: Word | Annotated[str, Field(max_length=0)] = ""

    def value(self) -> WorkerFacts:
        """As the farm's own value."""
        return WorkerFacts(**dict(self))


class SlotBody(_Said):
    """See `lapstrake.farm.values.workers.Slot`."""

    number: Small
    executor: Short
    state: SlotState = SlotState.IDLE
    task: Amount | None = None
    attempt: Small = 0


class BeatBody(_Said):
    """See `lapstrake.farm.values.workers.Heartbeat`."""

    incarnation: Word
    slots: Annotated[tuple[SlotBody, ...], Field(max_length=_MOST_SLOTS)] = ()
    load: Number = 0.0
    memory_free: Amount = 0
    disk_free: Amount = 0
    clock: Number = 0.0
    draining: bool = False

    def value(self) -> Heartbeat:
        """As the farm's own value."""
        slots = tuple(Slot(**dict(slot)) for slot in self.slots)
        return Heartbeat(**{**dict(self), "slots": slots})


class SampleBody(_Said):
    """See `lapstrake.farm.values.attempts.ResourceSample`."""

    seconds: Number
    cpu_seconds: Number
    memory: Amount
    disk: Amount = 0
    processes: Amount = 0
    received: Amount | None = 0
    sent: Amount | None = 0

    def value(self) -> ResourceSample:
        """As the farm's own value."""
        return ResourceSample(**dict(self))


class PeaksBody(_Said):
    """See `lapstrake.farm.values.attempts.Peaks`."""

    wall_seconds: Number = 0.0
    cpu_seconds: Number = 0.0
    memory: Amount = 0
    disk: Amount = 0
    processes: Amount = 0
    received: Amount | None = 0
    sent: Amount | None = 0


class OutputBody(_Said):
    """See `lapstrake.farm.values.tasks.OutputFile`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~_%@=,:-]*$", max_length=255)]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    size: Amount


class ResultBody(_Said):
    """See `lapstrake.farm.values.attempts.Result`."""

    ok: bool
    outputs: Annotated[tuple[OutputBody, ...], Field(max_length=_MOST_OUTPUTS)] = ()
    error: Line = ""
    details: Lines = ""
    exit_code: Annotated[int, Field(ge=-255, le=255)] = 0
    step: Line = ""
    version: Line = ""
    peaks: PeaksBody = PeaksBody()
    inputs: Annotated[dict[str, Any], AfterValidator(_some)] = {}

    def value(self) -> Result:
        """As the farm's own value."""
        outputs = tuple(OutputFile(**dict(output)) for output in self.outputs)
        return Result(**{**dict(self), "outputs": outputs, "peaks": Peaks(**dict(self.peaks))})
