"""What a build left, as an archive in the folder of downloads: whole, verified, under its name."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from lapstrake.artifact.archives.pack import pack_archive
from lapstrake.artifact.archives.unpack import verify_archive
from lapstrake.artifact.builders.base import Job
from lapstrake.errors import ArtifactError, BuildError
from lapstrake.host import files, owned
from lapstrake.host.locks import locked


def deliver(job: Job, work: Path, output: str, *, owned_by_us: bool = True) -> Path:
    """Take the output of a build; nothing of it may run any more.

    A folder is packed so that the same files give the same bytes; an archive is taken as it is.

    Args:
        job: what was made.
        work: the build directory, as the host sees it; what is in it is not trusted.
        output: the archive or folder, relative to it.
        owned_by_us: ``False`` where files are those of a root's ids, which may not be ours.

    Returns:
        the archive, in `Job.downloads`.

    Raises:
        BuildError: it is missing, is reached through a link, or is no archive.
        StoreError: the disk is full.
    """
    source = _found(job, work, output)
    target = job.downloads / job.identity.file_name
    taken = target.with_name(f"{files.TEMPORARY}{os.getpid()}.{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / "locks" / f"{target.name}.made", what=target.name):
            _sweep(target)
            _take(job, source, taken, owned_by_us=owned_by_us)
            if not source.is_dir():
                _verify(job, taken, output)
            taken.replace(target)
        files.sync_folder(target.parent)
    except OSError as refused:
        raise files.disk_error(refused, doing=f"writing {target}") from refused
    finally:
        taken.unlink(missing_ok=True)
    return target


def _sweep(target: Path) -> None:
    """Remove what killed builds left of this archive; nobody else is writing it now."""
    for left in target.parent.glob(f"{files.TEMPORARY}*{target.name.partition('.tar')[0]}.tar*"):
        left.unlink(missing_ok=True)


def _take(job: Job, source: Path, target: Path, *, owned_by_us: bool) -> None:
    if not owned_by_us:
        _take_as_owner(job, source, target)
    elif source.is_dir():
        pack_archive(source, target, top=job.identity.download_name, epoch=job.epoch)
    else:
        files.copy_atomic(source, target)


def _take_as_owner(job: Job, source: Path, target: Path) -> None:
    owned.run_module(
        "lapstrake.artifact.builders.owned_pack",
        source, target, job.identity.download_name, str(job.epoch),
        doing=f"packing {job.identity.file_name}", error=BuildError,
    )  # fmt: skip


def _found(job: Job, work: Path, output: str) -> Path:
    """The output; no link on the way is followed, it could lead anywhere on this host."""
    place = work
    for part in PurePosixPath(output).parts:
        place = place / part
        try:
            kind = place.lstat().st_mode
        except OSError as missing:
            raise _no_output(job, output, f"is not there: {missing.strerror}") from missing
        if part == ".." or stat.S_ISLNK(kind):
            raise _no_output(job, output, f"is reached through {part!r}, which is not followed")
    if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
        raise _no_output(job, output, "is neither a file nor a folder")
    return place


def _verify(job: Job, archive: Path, name: str) -> None:
    try:
        verify_archive(archive)
    except ArtifactError as broken:
        raise BuildError(
            f"{job.package.name}: its build left a broken archive",
            details=str(broken).replace(str(archive), name),
            resolution="Mend the archive step of its platform.",
        ) from broken


def _no_output(job: Job, output: str, why: str) -> BuildError:
    return BuildError(
        f"{job.package.name}: its build ended well, but {output} {why}",
        resolution="Look at the platform's `archive` and `output`.",
    )
