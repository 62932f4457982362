"""Write layer trees as one archive that ``docker load`` reads: a program of its own.

Standard library only, started as ``python -SI image_archive.py JOB TARGET``, JOB being a
file of JSON: a rootless store's files can only be read in a user namespace of their owner, and
`lapstrake.host.owned` starts programs there.

An image's layers say what is gone with names (OCI image specification, layer.md) where overlayfs
says it with devices and attributes (Documentation/filesystems/overlayfs.rst)::

    character device 0:0 at NAME        an empty file .wh.NAME
    trusted. or user.overlay.opaque=y   an empty file .wh..wh..opq in the folder

Engines take about 125 layers, stacks may have more, so one layer of an image can hold several of a
stack, merged the way overlayfs would show them.
"""

# ruff: noqa: PTH118, PTH123, PTH208
# os.path is quick, and a tree has many files.
from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import sys
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_OPAQUE_ATTRIBUTES = ("trusted.overlay.opaque", "user.overlay.opaque")
_PRIVATE_ATTRIBUTES = ("trusted.overlay.", "user.overlay.", "system.posix_acl", "security.selinux")
_BLOCK = 512
_ATTRIBUTE = "SCHILY.xattr."  # the pax record that tar programs and engines agree on


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
            _member(target, f"{number}.tar", b"")
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
    _member(target, name, text)
    _member(target, "manifest.json", json.dumps(manifest).encode())
    target.write(b"\0" * 2 * _BLOCK)


def _member(target: BinaryIO, name: str, data: bytes) -> None:
    """Append a small file to the archive."""
    target.write(_header(name, len(data)) + data + b"\0" * (-len(data) % _BLOCK))


def _layer_member(target: BinaryIO, name: str, trees: Sequence[str]) -> str:
    """Append a layer in one pass: its size is known, and written, afterwards."""
    begin = target.tell()
    target.write(b"\0" * _BLOCK)
    counted = _Counted(target)
    write_layer(counted, trees)
    target.write(b"\0" * (-counted.size % _BLOCK))
    end = target.tell()
    target.seek(begin)
    target.write(_header(name, counted.size))
    target.seek(end)
    return f"sha256:{counted.hash.hexdigest()}"


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def write_layer(target: io.RawIOBase, trees: Sequence[str]) -> None:
    """Write trees (lowest first), merged, as one layer."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        top = tarfile.TarInfo("./")
        top.type, top.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(top)
        for name, path in merged(tuple(reversed(trees)), ""):
            if path is None:
                tar.addfile(tarfile.TarInfo(name))
            else:
                _add(tar, name, path)


def merged(trees: Sequence[str], folder: str) -> Iterator[tuple[str, str | None]]:
    """Walk trees as overlayfs would show them.

    Args:
        trees: folders that are one folder of the root, uppermost first.
        folder: that folder's name in the root, with a slash at its end unless it is the root.

    Yields:
        each name in the layer and the path it comes from; ``None`` for a mark of something gone.
    """
    shown: dict[str, list[str]] = {}  # the paths that make up a name, uppermost first
    closed: set[str] = set()  # names that nothing further down adds to
    hidden: set[str] = set()  # of those, folders that hide what is below this whole group
    for tree in trees:
        for name in os.listdir(tree):
            path = os.path.join(tree, name)
            if name in closed:
                continue
            facts = os.lstat(path)
            is_folder = stat.S_ISDIR(facts.st_mode)
            if name in shown and not is_folder:  # a folder over something else starts afresh
                closed.add(name)
                hidden.add(name)
                continue
            shown.setdefault(name, []).append(path)
            if is_opaque(path) if is_folder else True:
                closed.add(name)
                hidden.add(name)
    for name in sorted(shown):
        uppermost, *_ = shown[name]
        facts = os.lstat(uppermost)
        if is_whiteout(facts):
            yield f"{folder}{_WHITEOUT}{name}", None
            continue
        yield f"{folder}{name}", uppermost
        if stat.S_ISDIR(facts.st_mode):
            if name in hidden:
                yield f"{folder}{name}/{_OPAQUE}", None
            yield from merged(shown[name], f"{folder}{name}/")


def is_whiteout(facts: os.stat_result) -> bool:
    """Whether this is overlayfs' mark for a name that is gone."""
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0


def is_opaque(path: str) -> bool:
    """Whether a folder hides all that is below it."""
    for name in _OPAQUE_ATTRIBUTES:
        try:
            if os.getxattr(path, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def _add(tar: tarfile.TarFile, name: str, path: str) -> None:
    """Add one file: owners by number, hard links (tarfile finds them), attributes."""
    entry: tarfile.TarInfo | None = tar.gettarinfo(path, arcname=name)
    if entry is None:  # a socket
        return
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    entry.pax_headers = {
        f"{_ATTRIBUTE}{key}": value.decode("utf-8", "surrogateescape")
        for key, value in _attributes(path)
    }
    if entry.isreg():
        with open(path, "rb") as file:
            tar.addfile(entry, file)
    else:
        tar.addfile(entry)


def _attributes(path: str) -> Iterator[tuple[str, bytes]]:
    """Extended attributes that belong to the file, not to the store's overlay or the host."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return
    for name in sorted(names):
        if not name.startswith(_PRIVATE_ATTRIBUTES):
            yield name, os.getxattr(path, name, follow_symlinks=False)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as _job, open(sys.argv[2], "wb") as _target:
        write_archive(_target, json.load(_job))
