"""Write layer trees as one archive that ``docker load`` reads: a program of its own.

`lapstrake.host.owned.run_module` starts it with two files, JOB (JSON) and TARGET, as the owner of
the trees. Engines take about 125 layers, stacks may have more, so one layer of an image can hold
several of a stack, merged the way overlayfs would show them.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

from lapstrake.formats.plain_tar import END, add_growing_member, add_member
from lapstrake.host.layer_tar import Place, Sink, read_places, write_entries


class _Counted(io.RawIOBase):
    """Writes through to a file; counts and hashes what passes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = 0
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        self.file.write(data)
        self.hash.update(data)
        self.size += len(data)
        return len(data)


def write_archive(target: BinaryIO, job: dict[str, Any]) -> None:
    """Write an image in docker's archive format (manifest.json, configuration, layers).

    Args:
        target: a file that can be sought.
        job: ``groups`` (lists of trees, lowest first), ``known`` (diff ids of the first groups,
            which the engine has already: an empty member stands for them), ``tag``, ``labels``,
            ``architecture``.
    """
    diff_ids = []
    for number, trees in enumerate(job["groups"]):
        if number < len(job["known"]):
            diff_ids.append(job["known"][number])
            add_member(target, f"{number}.tar", 0, ())
        else:
            diff_ids.append(_layer_member(target, f"{number}.tar", trees))
    config = {
        "architecture": job["architecture"],
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Labels": job["labels"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "1970-01-01T00:00:00Z"} for _ in diff_ids],
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    layers = [f"{number}.tar" for number in range(len(diff_ids))]
    manifest = [{"Config": name, "RepoTags": [job["tag"]], "Layers": layers}]
    add_member(target, name, len(text), (text,))
    listed = json.dumps(manifest).encode()
    add_member(target, "manifest.json", len(listed), (listed,))
    target.write(END)


def _layer_member(target: BinaryIO, name: str, trees: Sequence[str]) -> str:
    """Append a layer; gives its diff id."""
    counted = _Counted(target)

    def write(_: BinaryIO) -> int:
        write_layer(counted, trees)
        return counted.size

    add_growing_member(target, name, write)
    return f"sha256:{counted.hash.hexdigest()}"


def write_layer(target: Sink, trees: Sequence[str]) -> None:
    """Write trees (lowest first), merged, as one layer."""
    entries = read_places([Place(tree) for tree in trees])
    write_entries(target, entries, latest=sys.maxsize, plain=False)
    target.write(END)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as _job, open(sys.argv[2], "wb") as _target:
        write_archive(_target, json.load(_job))
