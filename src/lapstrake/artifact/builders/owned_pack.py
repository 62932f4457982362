"""Pack a folder, or copy an archive, as the owner of its files; a program of its own.

`lapstrake.host.owned.run_module` starts it where files of a root belong to ids that are not ours::

    python -m lapstrake.artifact.builders.owned_pack SOURCE TARGET TOP EPOCH
"""

from __future__ import annotations

import sys
from pathlib import Path

from lapstrake.artifact.archives.pack import pack_archive
from lapstrake.errors import LapstrakeError
from lapstrake.host.files import copy_atomic


def main(source: Path, target: Path, top: str, epoch: int) -> int:
    """Do it.

    Args:
        source: a folder, or a regular file.
        target: the archive.
        top: as of `pack_archive`.
        epoch: as of `pack_archive`.
    """
    try:
        if source.is_dir():
            pack_archive(source, target, top=top, epoch=epoch)
        else:
            copy_atomic(source, target)
    except LapstrakeError as failed:
        print(failed)  # noqa: T201 - the last words become the error's details
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
