"""What is kept of artifacts on this machine, one value for each, and what is noted beside it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lapstrake.artifact.identity import CHECKSUM, SHORT, Identity
from lapstrake.host.files import TEMPORARY, read_regular

_NAME = r"(?P<package>.+?)-(?P<host>portable|(?:linux|darwin|win)_\w+?)-(?P<version>.+)"
_SHORT = rf"(?P<name>.+)-(?P<short>[0-9A-F]{{{SHORT}}})"
_SUFFIXES = (".tar.gz", ".tar.xz", ".tar.zst")
_RECORD_LIMIT = 64 << 20


class Kind(StrEnum):
    """What is kept."""

    ARTIFACT = "artifact"
    ARCHIVE = "archive"  # a file of the downloads
    PARTIAL = "partial"  # what an interrupted download left there
    SOURCE = "source"  # what a platform downloaded to build from
    PACKAGE = "package"  # a package that was fetched
    BUILD = "build"  # the folder that one was built in
    VOLUME = "volume"  # of containers, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One artifact that is kept, or something else that came of getting and building them.

    Attributes:
        name: its file name.
        path: where it is.
        package: whose it is, and likewise:
        host: see `Identity`.
        version: see `Identity`.
        checksum: of its inputs: 64 digits, or as many as are known; empty when none is.
        size: bytes on disk; of a link 0.
        used: when it was last asked for, seconds since 1970.
        link: what it is a link to (a build folder), or ``None``.
        foreign: whether Nerves put it there; such are shown and used, and never removed.
        kind: what it is.
        lost: whether nothing leads to it any more, or it leads to nothing.
    """

    name: str
    path: Path
    package: str = ""
    host: str = ""
    version: str = ""
    checksum: str = ""
    size: int = 0
    used: float = 0.0
    link: Path | None = None
    foreign: bool = False
    kind: Kind = Kind.ARTIFACT
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is noted beside an artifact.

    Attributes:
        identity: what it is.
        size: bytes on disk.
        inputs: each file that its checksum covers, and its SHA-256 in hexadecimal digits.
    """

    identity: Identity
    size: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """As JSON."""
        names = ("package", "host", "version", "checksum", "suffix")
        identity = {name: getattr(self.identity, name) for name in names}
        document = {"identity": identity, "size": self.size, "inputs": dict(self.inputs)}
        return json.dumps(document).encode()


def read_record(path: Path) -> Record | None:
    """Read what was noted; ``None`` when there is nothing, or nothing that makes sense."""
    try:
        document = json.loads(read_regular(path, limit=_RECORD_LIMIT))
        return Record(
            identity=Identity(**document["identity"]),
            size=int(document["size"]),
            inputs=dict(document["inputs"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_checksum(folder: Path) -> str:
    """The checksum that an artifact's folder says, or nothing."""
    try:
        text = read_regular(folder / CHECKSUM, limit=1024)
    except OSError:
        return ""
    return text.decode("ascii", "replace").strip()


def split_name(name: str) -> tuple[str, str, str, str]:
    """Take a name apart: package, host, version and the beginning of the checksum.

    What cannot be told is empty; a package or version may hold dashes, and the first host tuple
    counts.

    >>> split_name("my-sys-portable-1.0-rc1-0123ABC")
    ('my-sys', 'portable', '1.0-rc1', '0123ABC')
    """
    short = re.fullmatch(_SHORT, name)
    found = re.fullmatch(_NAME, short["name"] if short else name)
    if found is None:
        return ("", "", "", "")
    return (found["package"], found["host"], found["version"], short["short"] if short else "")


def archives_in(downloads: Path) -> list[Entry]:
    """The archives of artifacts in the folder of downloads; other files are left out."""
    found = []
    try:
        with os.scandir(downloads) as files:
            for file in files:
                suffix = next((each for each in _SUFFIXES if file.name.endswith(each)), "")
                _, unfinished, name = file.name.rpartition(TEMPORARY)
                if unfinished:
                    name = name.partition(".")[2]  # behind what makes it one of a kind
                package, host, version, short = split_name(name.removesuffix(suffix))
                if not suffix or not short or not file.is_file(follow_symlinks=False):
                    continue
                facts = file.stat(follow_symlinks=False)
                found.append(
                    Entry(
                        name=file.name,
                        path=Path(file.path),
                        package=package,
                        host=host,
                        version=version,
                        checksum=short,
                        size=facts.st_blocks * 512,
                        used=max(facts.st_mtime, facts.st_atime),
                        kind=Kind.PARTIAL if unfinished else Kind.ARCHIVE,
                    )
                )
    except FileNotFoundError:
        return []
    return found
