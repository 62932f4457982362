"""Layers over each other, told from the headers of their tars alone (image-spec 1.1, layer.md)."""

from __future__ import annotations

import tarfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from lapstrake.errors import ImageError
from lapstrake.host.layer_tar import OPAQUE, WHITEOUT

TOP = ""
"""The path of the root itself."""


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A file, link, device or folder of a root; hard links are names of one node.

    Attributes:
        header: its header in the layer that it comes from.
        layer: that layer's number, from 0.
    """

    header: tarfile.TarInfo
    layer: int


@dataclass(slots=True)
class MergedRoot:
    """The root that layers make when each is laid over those before it."""

    nodes: dict[str, Node] = field(default_factory=dict)
    _names: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _layers: int = 0

    def add_layer(self, headers: Sequence[tarfile.TarInfo]) -> None:
        """Lay a layer over all.

        Its marks of what is gone speak of the layers below only, wherever in the tar they stand.

        Raises:
            ImageError: a member leaves the root, or is a hard link to what is not there.
        """
        members = [(clean_path(header.name), header) for header in headers]
        for path, _ in members:
            folder, _, name = path.rpartition("/")
            if name == OPAQUE:
                self._empty(folder)
            elif name.startswith(WHITEOUT):
                self._remove(_join(folder, name.removeprefix(WHITEOUT)))
        for path, header in members:
            if not path.rpartition("/")[2].startswith(WHITEOUT):
                self._add(path, header)
        self._layers += 1

    def sorted(self) -> list[tuple[str, Node]]:
        """All paths with their nodes: a folder, then all that is in it, then its next neighbour."""
        return sorted(self.nodes.items(), key=lambda item: item[0].split("/") if item[0] else [])

    def _add(self, path: str, header: tarfile.TarInfo) -> None:
        node = Node(header=header, layer=self._layers)
        if header.islnk():
            linked = self.nodes.get(clean_path(header.linkname))
            if linked is None:
                raise ImageError(f"{path} is a hard link to {header.linkname}, which is not there")
            node = linked
        old = self.nodes.get(path)
        if old is not None and not (old.header.isdir() and header.isdir()):
            self._remove(path)
        folder, _, name = path.rpartition("/")
        if path:
            self._make_folder(folder)
            self._names[folder].add(name)
        self.nodes[path] = node

    def _make_folder(self, path: str) -> None:
        """Add a folder that no layer describes."""
        if path not in self.nodes and path:
            header = tarfile.TarInfo(path)
            header.type, header.mode = tarfile.DIRTYPE, 0o755
            self._add(path, header)

    def _remove(self, path: str) -> None:
        self._empty(path)
        if self.nodes.pop(path, None) is not None:
            folder, _, name = path.rpartition("/")
            self._names[folder].discard(name)

    def _empty(self, path: str) -> None:
        for name in self._names.pop(path, ()):
            self._empty(_join(path, name))
            self.nodes.pop(_join(path, name), None)


def clean_path(name: str) -> str:
    """A member's name without ``./`` or slashes around it.

    Raises:
        ImageError: it leaves the root.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ImageError(f"a layer's member {name!r} leaves the root")
    return "/".join(parts)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
