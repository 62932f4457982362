"""A stack as an image of a container engine: made once, then found again."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host.engine import Engine
from lapstrake.host.owned import run_module

LABEL = "lapstrake.stack"
"""The label of every image made from a stack; its value names the layers."""
_REPOSITORY = "localhost/lapstrake/stack"
_MOST_LAYERS = 60  # engines take about 125, and each command of a session may add one
_SHARED = 2  # the base OS and a branch's instance
_ARCHITECTURES = {
    "x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "loongarch64": "loong64",
    "mips64": "mips64le",
}  # fmt: skip
"""GOARCH for what uname(2) says, where the two differ."""


def image_of(engine: Engine, stack: Sequence[Path], workspace: Path) -> str:
    """Find the image of a stack, or make it.

    Layers that an image of the engine has already, for another stack with the same beginning, are
    not packed again.

    Args:
        engine: where the image goes.
        stack: layer trees, lowest first.
        workspace: a folder for the archive, for as long as it is loaded.

    Returns:
        the image's name.

    Raises:
        RunnerError: a layer is missing, or the engine does not take the image.
    """
    groups = grouped(stack)
    names = [layer_name(group) for group in groups]
    tag = f"{_REPOSITORY}:{hashlib.sha256(' '.join(names).encode()).hexdigest()[:20]}"
    if engine.inspect("image", tag) is None:
        known = _known_layers(engine, names)
        try:
            _load(engine, groups, known, names=names, tag=tag, workspace=workspace)
        except RunnerError:
            if not known:
                raise
            # An engine that stores layers packed (containerd's store) cannot do without them.
            _load(engine, groups, [], names=names, tag=tag, workspace=workspace)
    return tag


def grouped(stack: Sequence[Path], most: int = _MOST_LAYERS) -> list[tuple[Path, ...]]:
    """Divide a stack into at most so many groups.

    The lowest layers stay single, since other stacks begin with them, too, and so do the topmost,
    which change; what is too much between them becomes one group.
    """
    if len(stack) <= most:
        return [(layer,) for layer in stack]
    begin = min(_SHARED, most - 1)
    end = begin + len(stack) - most + 1
    singles = [(layer,) for layer in stack]
    return [*singles[:begin], tuple(stack[begin:end]), *singles[end:]]


def layer_name(group: Sequence[Path]) -> str:
    """A name for what is in layers: their paths, and which very folders these are.

    Layers never change, but a path can come to hold another layer.
    """
    words = []
    for tree in group:
        try:
            facts = tree.stat()
            if not tree.is_dir():
                raise NotADirectoryError(20, "is no folder")
        except OSError as wrong:
            raise RunnerError(f"the layer {tree}: {wrong.strerror}") from wrong
        words.append(f"{tree.absolute()}\0{facts.st_ino}\0{facts.st_ctime_ns}")
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:20]


def _known_layers(engine: Engine, names: Sequence[str]) -> list[str]:
    """The engine's digests (diff ids) of the longest beginning of a stack that it has."""
    best: list[str] = []
    for image in engine.labelled("image", LABEL):
        facts = engine.inspect("image", image)
        if facts is None or not any(_REPOSITORY in tag for tag in facts.get("RepoTags") or ()):
            continue
        theirs = (facts["Config"].get("Labels") or {}).get(LABEL, "").split()
        digests = facts["RootFS"]["Layers"]
        same = (name == other for name, other in zip(names, theirs, strict=False))
        common = sum(itertools.takewhile(bool, same))
        if len(theirs) == len(digests) and common > len(best):
            best = digests[:common]
    return best


def _load(
    engine: Engine,
    groups: Sequence[Sequence[Path]],
    known: Sequence[str],
    *,
    names: Sequence[str],
    tag: str,
    workspace: Path,
) -> None:
    """Pack an image and hand it to the engine."""
    job, archive = workspace / "image.json", workspace / "image.tar"
    machine = os.uname().machine
    document = {
        "groups": [[str(tree) for tree in group] for group in groups],
        "known": list(known),
        "tag": tag,
        "labels": {LABEL: " ".join(names)},
        "architecture": _ARCHITECTURES.get(machine, machine),
    }
    job.write_text(json.dumps(document))
    try:
        run_module(
            "lapstrake.host.image_archive",
            job,
            archive,
            doing="packing the stack as an image",
            error=RunnerError,
        )
        with archive.open("rb") as file:  # by name, podman takes a colon for the end of a path
            engine.call(
                "load", "--quiet",
                doing="loading the stack's image", timeout=1800, stdin=file.fileno(),
            )  # fmt: skip
    finally:
        job.unlink()
        archive.unlink(missing_ok=True)
