"""Read a ``.deb`` as data that somebody hostile may have made (deb(5), deb-control(5)).

Nothing is unpacked to a disk and every size is bounded. Only what says what the package is gets
read, so a large package costs as little as a small one.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lapstrake.errors import LapstrakeError, PackError
from lapstrake.formats.debversion import is_version
from lapstrake.formats.packed import Packed, PackedError, tar_members

_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_CONTROL_LIMIT = 1 << 20
_CONTROL_TAR_LIMIT = 256 << 20  # md5sums of a package with a million files
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~%:_-]*\.deb\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """What a package says of itself.

    Attributes:
        path: the file.
        package: its name.
        version: with epoch and revision.
        architecture: Debian's name, or ``all``.
        fields: every field of its control file in order; values have their line breaks.
        size: bytes of the file.
    """

    path: Path
    package: str
    version: str
    architecture: str
    fields: tuple[tuple[str, str], ...]
    size: int

    def field(self, name: str) -> str | None:
        """The value of a field, whatever the case of its name."""
        wanted = name.lower()
        return next((value for key, value in self.fields if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    start: int
    size: int


def read_deb(
    path: Path, *, check_file_name: bool = True, error: type[LapstrakeError] = PackError
) -> Deb:
    """Read what a package is from its control file.

    Args:
        path: the ``.deb``; a regular file, not a link.
        check_file_name: whether the file's name must agree with the package's name and architecture
            (``NAME_VERSION_ARCH.deb``; AOSC's ``noarch`` is ``all``).
        error: raised, naming the file and what is wrong, when it is not a sound package.
    """
    with _open(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        control = _find(_members(file, path, error), "control.tar", path, error)
        text = _control_text(file, control, path, error)
    fields = _parse_control(text, path, error)
    deb = Deb(
        path=path,
        package=_required(fields, "Package", path, error),
        version=_required(fields, "Version", path, error),
        architecture=_required(fields, "Architecture", path, error),
        fields=tuple(fields.items()),
        size=size,
    )
    _check(deb, error)
    if check_file_name:
        _check_file_name(deb, error)
    return deb


def _open(path: Path, error: type[LapstrakeError]) -> BinaryIO:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as refused:
        raise error(f"{path.name}: cannot be read: {refused.strerror}") from refused
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise error(f"{path.name}: is not a regular file")
    return os.fdopen(descriptor, "rb")


def _members(file: BinaryIO, path: Path, error: type[LapstrakeError]) -> list[_Member]:
    """Read the outer ``ar`` archive's table: three members, each wholly inside the file."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise error(f"{path.name}: is not a .deb (no ar archive)")
    end = os.fstat(file.fileno()).st_size
    members: list[_Member] = []
    place = len(_MAGIC)
    while place < end and len(members) < 16:
        file.seek(place)
        header = file.read(_AR_HEADER)
        size_text = header[48:58].strip()
        if len(header) < _AR_HEADER or header[58:] != b"`\n" or not size_text.isdigit():
            raise error(f"{path.name}: is truncated or damaged at byte {place}")
        name = header[:16].decode("latin-1").rstrip().rstrip("/")
        member = _Member(name, place + _AR_HEADER, int(size_text))
        if member.start + member.size > end:
            raise error(
                f"{path.name}: is truncated: {name!r} should end at byte"
                f" {member.start + member.size}, the file ends at {end}"
            )
        members.append(member)
        place = member.start + member.size + member.size % 2
    if not members or members[0].name != "debian-binary":
        raise error(f"{path.name}: is not a .deb (debian-binary is not its first member)")
    file.seek(members[0].start)
    if not file.read(min(members[0].size, 16)).startswith(b"2."):
        raise error(f"{path.name}: is not a .deb of format 2")
    _find(members, "data.tar", path, error)
    return members


def _find(members: list[_Member], stem: str, path: Path, error: type[LapstrakeError]) -> _Member:
    for member in members:
        if member.name == stem or member.name.startswith(f"{stem}."):
            return member
    raise error(f"{path.name}: has no {stem} (a truncated .deb?)")


def _control_text(file: BinaryIO, member: _Member, path: Path, error: type[LapstrakeError]) -> str:
    try:
        packed = Packed(
            file, start=member.start, size=member.size, name=member.name, limit=_CONTROL_TAR_LIMIT
        )
        for info in tar_members(packed):
            if info.name.removeprefix("./") == "control" and info.isreg():
                if info.size > _CONTROL_LIMIT:
                    raise error(f"{path.name}: its control file has {info.size} bytes")
                packed.seek(info.offset_data)
                return packed.read_exactly(info.size).decode("utf-8")
    except PackedError as wrong:
        raise error(f"{path.name}: {member.name}: {wrong}") from wrong
    except UnicodeDecodeError as wrong:
        raise error(f"{path.name}: its control file is not UTF-8") from wrong
    raise error(f"{path.name}: has no control file")


def _parse_control(text: str, path: Path, error: type[LapstrakeError]) -> dict[str, str]:
    """Parse the one paragraph; strict, since its text goes into an index beside others' text."""
    fields: dict[str, str] = {}
    current = ""
    for number, line in enumerate(text.rstrip("\n").split("\n"), start=1):
        where = f"{path.name}: control:{number}"
        if any(ord(letter) < 32 and letter != "\t" for letter in line):
            raise error(f"{where}: has control characters")
        if line[:1] in (" ", "\t"):
            if not current or not line.strip():
                raise error(f"{where}: continues nothing")
            fields[current] += "\n" + line
            continue
        match = _FIELD.match(line)
        if match is None:
            raise error(f"{where}: {line[:60]!r} is not a field")
        current = match[1]
        if current.lower() in (name.lower() for name in fields):
            raise error(f"{where}: a second {current}")
        fields[current] = match[2].rstrip()
    return fields


def _required(fields: dict[str, str], name: str, path: Path, error: type[LapstrakeError]) -> str:
    for key, value in fields.items():
        if key.lower() == name.lower() and value:
            return value
    raise error(f"{path.name}: its control file has no {name}")


def _check(deb: Deb, error: type[LapstrakeError]) -> None:
    if not _NAME.match(deb.package):
        raise error(f"{deb.path.name}: {deb.package!r} is not a package name")
    if not is_version(deb.version):
        raise error(f"{deb.path.name}: {deb.version!r} is not a version")
    if not _ARCHITECTURE.match(deb.architecture):
        raise error(f"{deb.path.name}: {deb.architecture!r} is not an architecture")


def _check_file_name(deb: Deb, error: type[LapstrakeError]) -> None:
    name = deb.path.name
    parts = name.removesuffix(".deb").split("_")
    if not _FILE_NAME.match(name) or len(parts) != 3:
        raise error(f"{name}: is not called NAME_VERSION_ARCH.deb")
    if parts[0] != deb.package:
        raise error(f"{name}: the package in it is called {deb.package}")
    if parts[2] != deb.architecture and (parts[2], deb.architecture) != ("noarch", "all"):
        raise error(f"{name}: the package in it is for {deb.architecture}")
