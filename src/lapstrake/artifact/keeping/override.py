"""Artifacts that a variable of the environment names, whatever their inputs are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lapstrake.artifact.base import Package
from lapstrake.artifact.identity import Identity, override_variable
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.errors import ArtifactError
from lapstrake.host.files import read_regular, write_atomic


def find_override(
    package: Package, identity: Identity, cache: ArtifactCache, environment: Mapping[str, str]
) -> Path | None:
    """The folder that a variable names; ``None`` when it is not set, or empty.

    An archive is unpacked into the cache, where it is found by its own SHA-256.

    Raises:
        ArtifactError: it names something that cannot be used.
    """
    variable = override_variable(package)
    value = environment.get(variable, "")
    if not value:
        return None
    path = Path(value).expanduser().absolute()
    if path.is_dir():
        return path
    if not path.is_file():
        # What was meant for something else may be a secret.
        shown = str(path) if path.exists() or variable.startswith("NERVES_") else "something"
        raise ArtifactError(
            f"{variable} is set to {shown}, which is no folder and no archive",
            resolution=f"Unset {variable}, or set it to an artifact's folder or archive.",
        )
    try:
        digest = _digest(path, cache)
    except OSError as refused:
        raise ArtifactError(f"{variable}: {path}: {refused.strerror}") from refused
    try:
        return cache.put_archive(replace(identity, checksum=digest), path)
    except ArtifactError as bad:
        raise type(bad)(
            f"{variable}: {bad.brief}", details=bad.details, resolution=bad.resolution
        ) from bad


def _digest(path: Path, cache: ArtifactCache) -> str:
    """A file's SHA-256, in upper case; read again only when it was touched since."""
    facts = path.stat()
    seal = [facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
    note = cache.layout.notes / hashlib.sha256(bytes(path)).hexdigest()
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(read_regular(note, limit=4096))
        if known["seal"] == seal:
            return str(known["digest"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest().upper()
    with suppress(OSError):  # it is only read again
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(note, json.dumps({"seal": seal, "digest": digest}).encode(), durable=False)
    return digest
