"""What is known of an unpacked package, kept beside its tree: its control files and its paths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lapstrake.compose import entries
from lapstrake.compose.doubt import Entry, Unpacked
from lapstrake.compose.status import TO_REMOVE, Stanza, parse_stanza
from lapstrake.errors import StoreError
from lapstrake.host import files
from lapstrake.layer.store import Layer

_FILE = "content.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One package, as far as others can have to do with it.

    Attributes:
        control: its control paragraph.
        conffiles: paths of its configuration files with MD5 sums, or what else dpkg's list says
            of them, in its order.
        triggers: its control file of that name (deb-triggers(5)); empty when it has none.
        preinst: its script of that name.
        makes_users: whether its scripts make users or groups, which get numbers in turn.
        paths: all that it unpacks, by absolute path; merged ``/usr`` is respected.
    """

    control: str
    conffiles: tuple[tuple[str, str], ...] = ()
    triggers: str = ""
    preinst: str = ""
    makes_users: bool = False
    paths: Mapping[str, Entry] = field(repr=False)

    @property
    def stanza(self) -> Stanza:
        """The control paragraph, read."""
        return parse_stanza(self.control)

    def unpacked(self, arch: str, shared: Mapping[str, frozenset[str]]) -> Unpacked:
        """The same, as it is judged.

        Args:
            arch: the root's own architecture.
            shared: see `lapstrake.compose.twins.shared_paths`.
        """
        stanza = self.stanza
        name, own = stanza.name, stanza["architecture"]
        return Unpacked(
            name=name if own in {arch, "all"} else f"{name}:{own}",
            version=stanza["version"],
            arch=own,
            entries=self.paths,
            unwanted=frozenset(path for path, state in self.conffiles if state == TO_REMOVE),
            preinst=self.preinst,
            shared=shared.get(stanza.qualified, frozenset()),
        )


def write_content(tree: Path, content: Content) -> None:
    """Keep what is known of a package beside its layer's tree."""
    document = {
        "control": content.control,
        "conffiles": content.conffiles,
        "triggers": content.triggers,
        "preinst": content.preinst,
        "makes_users": content.makes_users,
        "paths": entries.pack(content.paths),
    }
    files.write_atomic(tree.parent / _FILE, json.dumps(document).encode(), durable=False)


def read_contents(layers: Sequence[Layer]) -> tuple[Content, ...]:
    """Read what is known of packages.

    Raises:
        StoreError: it is damaged.
    """
    return tuple(_read(layer) for layer in layers)


def _read(layer: Layer) -> Content:
    file = layer.tree.parent / _FILE
    try:
        document = json.loads(file.read_bytes())
        return Content(
            control=document["control"],
            conffiles=tuple((path, digest) for path, digest in document["conffiles"]),
            triggers=document["triggers"],
            preinst=document["preinst"],
            makes_users=document["makes_users"],
            paths=entries.unpack(document["paths"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as damaged:
        raise StoreError(
            f"{file} is damaged",
            resolution=f"Remove the folder {file.parent}; the layer will be made again.",
        ) from damaged
