"""Build records in words: what a build was made from, and what differs from another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from lapstrake.build.record import BuildRecord, BuildState
from lapstrake.formats.amounts import duration_text, size_text, sparkline
from lapstrake.host.usage import Sample, Usage

_SHORT = 12
_PARTS = {
    "base": "another base OS",
    "instance": "another instance of the branch",
    "foreign": "another layer of a foreign architecture",
    "toolchain": "another toolchain",
    "dependencies": "another layer of dependencies",
    "format": "another format of bundle",
}
_MOST_PACKAGES = 12


def made_from(record: BuildRecord) -> Iterator[tuple[str, str, str]]:
    """What a build was made from: part, which one, and why that one."""
    inputs = record.inputs
    if not inputs:
        yield "inputs", "", "it ended before they were known"
        return
    yield "base OS", _short(inputs.get("base", "")), ""
    yield "instance", _short(inputs.get("instance", "")), inputs.get("instance_reason", "")
    if "foreign" in inputs:
        yield f"for {record.arch}", _short(inputs["foreign"]), "to cross-compile"
    if "toolchain" in inputs:
        yield "toolchain", _short(inputs["toolchain"]), "laid over the branch"
    layer = _short(inputs.get("dependencies", "")) or "none"
    yield "dependencies", layer, inputs.get("dependencies_reason", "")
    for name, digest in inputs.get("sources", {}).items():
        yield "source", name, digest


def came_out(record: BuildRecord) -> Iterator[tuple[str, str, str]]:
    """What a build made: name, size, and what publishing made of it and why."""
    for output in record.outputs:
        yield output.name, size_text(output.size), output.published or "not published"


def differences(before: BuildRecord, after: BuildRecord) -> Iterator[str]:
    """What differs between two builds of a bundle, one line for each thing."""
    if before.version != after.version:
        yield f"version: {before.version or '-'} → {after.version or '-'}"
    for key in ("arch", "runner"):
        if getattr(before, key) != getattr(after, key):
            yield f"{key}: {getattr(before, key)} → {getattr(after, key)}"
    old, new = before.inputs, after.inputs
    for key, what in _PARTS.items():
        if old.get(key, "") != new.get(key, ""):
            reason = new.get(f"{key}_reason", "")
            yield f"{what}: {_short(old.get(key, '')) or 'none'} → " + (
                f"{_short(new.get(key, '')) or 'none'}" + (f" ({reason})" if reason else "")
            )
    yield from _package_changes(old.get("packages", ()), new.get("packages", ()))
    yield from _source_changes(old.get("sources", {}), new.get("sources", {}))
    yield from _output_changes(before, after)
    if before.state is not after.state:
        yield f"it {_how(before)} then, and {_how(after)} now"


def resources(usage: Usage) -> Iterator[tuple[str, str]]:
    """What a build used: a name, and numbers with a curve over its time."""
    yield "time", f"{duration_text(usage.wall_seconds)}"
    cpus = usage.cpu_seconds / usage.wall_seconds if usage.wall_seconds else 0.0
    used = f"{duration_text(usage.cpu_seconds)} of processors, {cpus:.1f} at a time"
    yield "processors", f"{used}  {sparkline(_cpu_rates(usage.samples))}".rstrip()
    memory = sparkline([sample.memory for sample in usage.samples])
    yield "memory", f"{size_text(usage.peak_memory)} at most  {memory}".rstrip()
    disk = sparkline([sample.disk for sample in usage.samples])
    yield "disk", f"{size_text(usage.peak_disk)} at most  {disk}".rstrip()


def _package_changes(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Build dependencies whose versions changed, and those that came or went."""
    was, now = (dict(each.split("=", 1) for each in packages) for packages in (old, new))
    changed = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
    for name in changed[:_MOST_PACKAGES]:
        yield f"build dependency {name}: {was.get(name, 'none')} → {now.get(name, 'none')}"
    if len(changed) > _MOST_PACKAGES:
        yield f"... and {len(changed) - _MOST_PACKAGES} other build dependencies"


def _source_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"source {name}: no longer used"
        elif name not in old:
            yield f"source {name}: new"
        elif old[name] != new[name]:
            yield f"source {name}: other bytes ({old[name][:19]}… → {new[name][:19]}…)"


def _output_changes(before: BuildRecord, after: BuildRecord) -> Iterator[str]:
    """Files of both builds whose bytes differ; only where both ended well."""
    was, now = ({each.name: each.sha256 for each in record.outputs} for record in (before, after))
    for name in sorted(was.keys() & now.keys()):
        if was[name] != now[name]:
            yield f"{name}: other bytes"


def _cpu_rates(samples: Sequence[Sample]) -> list[float]:
    """Processors in use between one sample and the next."""
    return [
        max(later.cpu_seconds - sooner.cpu_seconds, 0.0)
        / max(later.seconds - sooner.seconds, 0.001)
        for sooner, later in pairwise(samples)
    ]


def _how(record: BuildRecord) -> str:
    if record.state is BuildState.FAILED and record.step:
        return f"failed in the step {record.step!r}"
    return {"succeeded": "went well", "running": "runs"}.get(record.state, f"was {record.state}")


def _short(text: str) -> str:
    return text[:_SHORT]
