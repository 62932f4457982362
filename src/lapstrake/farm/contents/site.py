"""The server's site of artifacts: a folder of archives that `lapstrake artifact get` asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as with_fields
from pathlib import Path

from lapstrake.farm.contents.base import Contents
from lapstrake.farm.values.tasks import OutputFile
from lapstrake.host.files import link_atomic, sync_folder
from lapstrake.repository.publication import Action
from lapstrake.repository.shelf import file_sum


class ArtifactSite:
    """A folder of archives, called as artifacts are.

    Args:
        folder: made when something is published.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(
        self, outputs: Sequence[OutputFile], contents: Contents, *, replace: bool
    ) -> tuple[OutputFile, ...]:
        """Put archives there.

        Args:
            outputs: with names that were checked.
            contents: where their bytes are.
            replace: whether other bytes of a name give way; otherwise the first stay, as what was
                made of the same inputs should.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        done = []
        for output in outputs:
            target = self.folder / output.name
            action = Action.REPLACED if target.exists() else Action.ADDED
            if target.exists() and (not replace or _is_same(target, output)):
                action = Action.KEPT
            else:
                link_atomic(contents.path(output.digest), target)
            done.append(with_fields(output, published=f"{output.name} ({action})"))
        sync_folder(self.folder)
        return tuple(done)


def _is_same(file: Path, output: OutputFile) -> bool:
    return f"sha256:{file_sum(file)}" == output.digest
