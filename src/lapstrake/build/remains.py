"""What a failed build leaves, as one file for somebody elsewhere to look into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lapstrake.build.buildroot import BUILDROOT
from lapstrake.errors import LapstrakeError
from lapstrake.host.usage import Ending, Limits
from lapstrake.progress import Progress
from lapstrake.runner.base import Command, Session

_ARCHIVE = "remains.tar.gz"
_SECONDS = 120.0
_MADE = (0, 1)
"""It is there; 1 means that something changed meanwhile, such as the folder that it is made in."""
_TAR = (
    "tar", "--create", f"--file={_ARCHIVE}", "--use-compress-program=gzip -1",
    f"--exclude=./{_ARCHIVE}", "--exclude=./toolbox", f"--transform=s,^\\.,{BUILDROOT.name},S", ".",
)  # fmt: skip


def take_remains(session: Session, target: Path, limits: Limits, progress: Progress) -> None:
    """Pack the build folder of a failed build, with its links, and copy that out of the root.

    It is packed inside, by the root's own tar, within the build's bounds: there every file can be
    read, and no link leads out. The build has failed already, so what goes wrong is only told.

    Args:
        session: the root, in which nothing runs.
        target: the file; not there when it could not be made.
        limits: the build's.
        progress: hears what went wrong.
    """
    said = bytearray()
    command = Command(argv=_TAR, cwd=BUILDROOT, limits=replace(limits, seconds=_SECONDS))
    try:
        outcome = session.run(command, on_output=said.extend)
        if outcome.ending is Ending.EXITED and outcome.status in _MADE:
            session.get(BUILDROOT / _ARCHIVE, target)
            return
        why = said.decode("utf-8", "replace").strip() or f"status {outcome.status}"
    except (LapstrakeError, OSError) as failed:
        target.unlink(missing_ok=True)
        why = failed.brief if isinstance(failed, LapstrakeError) else str(failed)
    progress.warning(f"the build folder is not kept: {why.splitlines()[-1]}")
