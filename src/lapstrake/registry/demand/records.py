"""Which names were made and pulled: one document for each name and tag."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lapstrake.blobs.base import BlobStore
from lapstrake.names import Digest
from lapstrake.registry.demand.images import Manifests, manifests_document, read_manifests

_PREFIX = "made/"
_TOUCH_SECONDS = 3600.0
_MOST_NOTED = 10_000
_LONGEST_WORD = 200  # of a document's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A name that was pulled.

    Attributes:
        name: the repository, ``shell/git``.
        tag: the tag, ``stable``.
        manifests: what it leads to since the last making.
        made: when that was made, seconds since 1970.
        pulled: when somebody pulled it last, to the hour.
        former: key of an image that it led to → when it ceased to.
    """

    name: str
    tag: str
    manifests: Manifests
    made: float
    pulled: float
    former: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """``NAME:TAG``."""
        return f"{self.name}:{self.tag}"


class Records:
    """All records of a store of blobs.

    A pull of what is known costs a look into a table; once an hour the time is written down.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._noted: dict[tuple[str, str], tuple[float, frozenset[Digest]]] = {}

    def note(self, name: str, tag: str, manifests: Manifests) -> None:
        """Note that a name was answered with these manifests now."""
        now, asked = time.time(), manifests.oci.digest
        noted, known = self._noted.get((name, tag), (0.0, frozenset[Digest]()))
        if not _can_be_noted(name) or (asked in known and now - noted < _TOUCH_SECONDS):
            return
        before = self.find(name, tag)
        made, former = now, {}
        if before is not None:
            if keys(manifests) < keys(before.manifests):
                manifests = before.manifests  # one machine's of those that an index has
            former = {key: at for key, at in before.former.items() if key not in keys(manifests)}
            same = before.manifests == manifests
            made = before.made if same else now
            gone = keys(before.manifests) - keys(manifests)
            former |= dict.fromkeys(gone, now)
        document = {
            **manifests_document(manifests),
            "made": made,
            "pulled": now,
            "former": former,
        }
        self._blobs.write(_document(name, tag), json.dumps(document).encode())
        current = manifests.oci.digest
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted[name, tag] = (
            now,
            (known if current in known else frozenset()) | {asked, current},
        )

    def find(self, name: str, tag: str) -> Record | None:
        """One record; ``None`` when there is none that can be read."""
        data = self._blobs.document(_document(name, tag)) if _can_be_noted(name) else None
        return None if data is None else _parse(name, tag, data)

    def all(self) -> Iterator[Record]:
        """All, in no order that matters."""
        for document in self._blobs.names(_PREFIX):
            tag, _, name = document.removeprefix(_PREFIX).partition("/")
            record = self.find(name, tag)
            if record is not None:
                yield record

    def names(self) -> list[str]:
        """The names that were made, sorted."""
        documents = self._blobs.names(_PREFIX)
        return sorted({each.removeprefix(_PREFIX).partition("/")[2] for each in documents})

    def forget(self, record: Record) -> None:
        """Forget a name and tag; what it led to stays."""
        self._blobs.delete(_document(record.name, record.tag))
        self._noted.pop((record.name, record.tag), None)


def keys(manifests: Manifests) -> set[str]:
    """The keys of the images behind manifests."""
    return set(manifests.keys.values())


def _document(name: str, tag: str) -> str:
    return f"{_PREFIX}{tag}/{name}"


def _can_be_noted(name: str) -> bool:
    return all(len(part) <= _LONGEST_WORD for part in name.split("/"))


def _parse(name: str, tag: str, data: bytes) -> Record | None:
    try:
        document = json.loads(data)
        return Record(
            name=name,
            tag=tag,
            manifests=read_manifests(document),
            made=document["made"],
            pulled=document["pulled"],
            former=document["former"],
        )
    except (ValueError, KeyError, TypeError):
        return None
