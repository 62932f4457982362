"""The volumes of a docker build: where it works, what it keeps, and copies of what it changes.

The build directory of a package is a volume, named by the package and by an id that lies in the
package's build folder: another folder, another volume. Buildroot writes into its own package; what
it changes is therefore a copy, in a volume named by its content, and never the host's folder.
"""

from __future__ import annotations

import os
import re
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from lapstrake.artifact.builders import snapshot
from lapstrake.artifact.builders.base import WORK, Job
from lapstrake.errors import ArtifactError
from lapstrake.host.engine import Engine
from lapstrake.host.files import disk_error, write_atomic
from lapstrake.names import GuestPath

ID_FILE = ".docker_id"
"""The file with the id, in `Job.folder`."""
LABEL = "lapstrake.artifact"
"""The label of our volumes; its value is the name of the build directory's."""
PLACE_LABEL = "lapstrake.folder"
"""The label with `place_name` of the build folder: whose volume it is, and where."""
_MACHINE = Path("/etc/machine-id")
_COPIES_FILE = ".docker_copies"
_ID_LENGTH = 16
_ALPHABET = string.ascii_letters + string.digits + "_"
_ID = re.compile(rf"[A-Za-z0-9_]{{{_ID_LENGTH}}}\Z")
"""Nothing shorter, and no dash: the file may come with a package, and name no volume of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume, and where containers see it.

    Attributes:
        name: what the engine calls it.
        target: where it is mounted.
        source: the folder of the host that it is a copy of.
    """

    name: str
    target: GuestPath
    source: Path | None = None


def read_id(folder: Path) -> str:
    """The id that a build folder has; empty when it has none.

    Raises:
        ArtifactError: the file holds something else.
    """
    file = folder / ID_FILE
    try:
        text = file.read_text("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as refused:
        raise ArtifactError(f"reading {file}: {refused.strerror}") from refused
    if text and not _ID.match(text):
        raise ArtifactError(f"{file} holds no id of a volume", resolution="Remove the file.")
    return text


def give_id(folder: Path) -> str:
    """The id of a build folder, made when there is none: 16 characters that all differ."""
    known = read_id(folder)
    if known:
        return known
    made = "".join(secrets.SystemRandom().sample(_ALPHABET, _ID_LENGTH))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / ID_FILE, made.encode())
    except OSError as refused:
        raise disk_error(refused, doing=f"writing {folder / ID_FILE}") from refused
    return made


def place_name(folder: Path) -> str:
    """A build folder's name in all the world: an engine may serve other machines as well.

    Quoted as in URLs: podman's labels end at a comma.
    """
    try:
        machine = _MACHINE.read_text("ascii").strip()
    except (OSError, ValueError):
        machine = ""
    return f"{machine}:{quote(os.fsencode(folder.absolute()))}"


def folder_of(place: str) -> Path | None:
    """The build folder that `place_name` has named; ``None`` if it is not this machine's."""
    folder = Path(os.fsdecode(unquote_to_bytes(place.partition(":")[2])))
    return folder if place == place_name(folder) and not place.startswith(":") else None


def build_volume(job: Job, identifier: str) -> str:
    """The name of the volume of the build directory: ``PACKAGE-ID``."""
    return f"{_safe(job.package.name)}-{identifier}"


def volumes_of(job: Job, identifier: str) -> tuple[Volume, ...]:
    """All volumes that a build needs, the build directory's first."""
    first = build_volume(job, identifier)
    more = job.package.runner.volumes.items()
    return (
        Volume(name=first, target=WORK),
        *(Volume(name=f"{first}-{_safe(name)}", target=target) for name, target in more),
        *(
            Volume(
                name=f"{first}-{target.name}-{_content(source)}",
                target=target,
                source=source,
            )
            for source, target in snapshot.copied(job)
        ),
    )


def make_volumes(engine: Engine, job: Job, volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """Make those that are missing.

    Returns:
        those whose copy is still to be made; `note_copies` tells that it was.

    Raises:
        RunnerError: the engine refuses; the brief names the volume.
    """
    noted = _noted(job)
    labels = {LABEL: volumes[0].name, PLACE_LABEL: place_name(job.folder)}
    wanting = []
    for volume in volumes:
        made = engine.inspect("volume", volume.name) is None
        if made:
            engine.call(
                "volume", "create", *(f"--label={key}={text}" for key, text in labels.items()),
                volume.name, doing=f"making the volume {volume.name}",
            )  # fmt: skip
        if volume.source is not None and (made or volume.name not in noted):
            wanting.append(volume)
    return tuple(wanting)


def note_copies(engine: Engine, job: Job, volumes: tuple[Volume, ...]) -> None:
    """Remember that all copies are whole, and remove the volumes of former content."""
    names = [volume.name for volume in volumes]
    copies = "".join(f"{volume.name}\n" for volume in volumes if volume.source)
    write_atomic(job.folder / _COPIES_FILE, copies.encode())
    beginnings = tuple(volume.name.rpartition("-")[0] + "-" for volume in volumes if volume.source)
    ours = engine.labelled("volume", f"{LABEL}={names[0]}")
    _remove(engine, [name for name in ours if name.startswith(beginnings) and name not in names])


def remove_volumes(engine: Engine, job: Job) -> int:
    """Remove all volumes of a build folder, then the id; those that are not there are no error.

    Returns:
        how many there were.
    """
    identifier = read_id(job.folder)
    if not identifier:
        return 0
    name = build_volume(job, identifier)
    names = engine.labelled("volume", f"{LABEL}={name}")
    if name not in names and engine.inspect("volume", name) is not None:
        names.append(name)  # another tool made it
    _remove(engine, names)
    for file in (_COPIES_FILE, ID_FILE):
        (job.folder / file).unlink(missing_ok=True)
    return len(names)


def _remove(engine: Engine, names: list[str]) -> None:
    for name in names:
        engine.call("volume", "rm", name, doing=f"removing the volume {name}")


def _noted(job: Job) -> set[str]:
    try:
        return set((job.folder / _COPIES_FILE).read_text().split())
    except OSError:
        return set()


def _content(source: Path) -> str:
    return snapshot.digest_of(source, leave_out=snapshot.is_left_out)[:12]


def _safe(name: str) -> str:
    """A name as engines allow it in a volume's."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)
