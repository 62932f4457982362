"""Where a package's artifact is, and why it is stale if it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lapstrake.artifact.base import Package, Project
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.identity import SHORT, Identity, identify, override_variable
from lapstrake.artifact.inputs.checksum import Inputs, read_inputs
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.artifact.keeping.entries import read_checksum
from lapstrake.artifact.keeping.override import find_override
from lapstrake.errors import ArtifactError

_SUFFIXES = (".tar.gz", ".tar.xz", ".tar.zst")


class Where(StrEnum):
    """Where an artifact is."""

    OVERRIDE = "override"  # a variable of the environment names it; no checksum counts
    KEPT = "kept"  # in the cache, or built here
    DOWNLOADED = "downloaded"  # its archive is here, and not unpacked yet
    NOTHING = "nothing"  # not on this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is known of a package's artifact on this machine.

    Attributes:
        package: whose.
        identity: what it is called.
        inputs: what it is made of.
        where: where it is.
        path: the artifact's folder, or its archive when it is `Where.DOWNLOADED`.
        stale: whether there is none for these inputs on this machine.
        reason: why it counts as found or stale, one line.
        changed: covered files that differ from those of `kept`, sorted, if that is known.
        kept: the name of the artifact that is kept instead, if there is one.
    """

    package: Package
    identity: Identity
    inputs: Inputs
    where: Where
    path: Path | None
    stale: bool
    reason: str
    changed: tuple[str, ...] = ()
    kept: str = ""


def status_of(project: Project, package: Package, depot: Depot) -> Status:
    """Look where a package's artifact is; no network is asked, and nothing is built.

    An archive that a variable names is unpacked into the cache when it was not before.

    Raises:
        ArtifactError: the package is a platform, which has none; or a variable names something
            that cannot be used.
        ProjectError: a file that the checksum covers cannot be read.
    """
    del project  # what a package depends on is no part of its checksum
    if package.type.is_platform:
        raise ArtifactError(f"{package.name} is a {package.type}: it has no artifact")
    inputs = read_inputs(package)
    identity = identify(package, inputs.checksum, depot.environment)
    cache = ArtifactCache(depot.artifacts)

    def found(where: Where, path: Path, reason: str) -> Status:
        return Status(
            package=package, identity=identity, inputs=inputs, where=where, path=path,
            stale=False, reason=reason,
        )  # fmt: skip

    if path := find_override(package, identity, cache, depot.environment):
        variable = override_variable(package)
        return found(Where.OVERRIDE, path, f"{variable} names it, whatever its inputs are")
    short = identity.checksum[:SHORT]
    if kept := cache.find(identity):
        return found(Where.KEPT, kept, f"kept for these inputs ({short})")
    build = depot.build_folder(package, identity)
    if read_checksum(build) == identity.checksum:
        return found(Where.KEPT, build, f"built here from these inputs ({short})")
    for suffix in dict.fromkeys((identity.suffix, *_SUFFIXES)):
        archive = depot.downloads / f"{identity.download_name}{suffix}"
        if archive.is_file():
            return found(Where.DOWNLOADED, archive, f"its archive is here ({short})")
    reason, changed, name = _why_stale(identity, inputs, cache)
    return Status(
        package=package, identity=identity, inputs=inputs, where=Where.NOTHING, path=None,
        stale=True, reason=reason, changed=changed, kept=name,
    )  # fmt: skip


def _why_stale(
    identity: Identity, inputs: Inputs, cache: ArtifactCache
) -> tuple[str, tuple[str, ...], str]:
    """A line that says what is kept instead; the files that differ; and what that is called."""
    others = [
        entry
        for entry in cache.entries()
        if (entry.package, entry.host) == (identity.package, identity.host)
    ]
    wanted = identity.checksum[:SHORT]
    if not others:
        return f"nothing of {identity.package} is kept here ({wanted} is wanted)", (), ""
    nearest = max(others, key=lambda entry: (entry.version == identity.version, entry.used))
    text = f"{nearest.checksum[:SHORT] or 'a broken link'} is kept, {wanted} is wanted"
    if nearest.version != identity.version:
        text = f"{nearest.version} is kept, {identity.version} is wanted"
    changed = _differences(cache.inputs(nearest.name), inputs)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        text += f": {', '.join(changed[:3])}{more} changed"
    return text, changed, nearest.name


def _differences(before: Mapping[str, str], inputs: Inputs) -> tuple[str, ...]:
    """Files that were added, are gone or hold something else; nothing when it was not noted."""
    if not before:
        return ()
    now = {name: digest.hex() for name, digest in inputs.files.items()}
    return tuple(sorted(name for name in {**now, **before} if now.get(name) != before.get(name)))
