"""The server's site of artifacts: a folder of archives that `lapstrake artifact get` asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as with_fields
from pathlib import Path

from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.site_owners import FOLDER, package_of, take_name
from lapstrake.farm.values.tasks import OutputFile, Task
from lapstrake.host.files import link_atomic, sync_folder
from lapstrake.host.locks import locked
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
        self, task: Task, outputs: Sequence[OutputFile], contents: Contents
    ) -> tuple[OutputFile, ...]:
        """Put archives there.

        Other bytes of a name give way only if the task asks for it (`TaskSpec.fresh`); otherwise
        the first stay, as what was made of the same inputs should.

        Args:
            task: whose they are.
            outputs: with names that were checked.
            contents: where their bytes are.

        Raises:
            PublishError: a name is another owner's; nothing is published then.
        """
        names = self.folder / FOLDER
        names.mkdir(parents=True, exist_ok=True)
        with locked(names / ".lock", what="the site of artifacts"):
            for package in sorted({package_of(output.name) for output in outputs}):
                take_name(self.folder, package, task)
            return self._put(outputs, contents, replace=task.spec.fresh)

    def _put(
        self, outputs: Sequence[OutputFile], contents: Contents, *, replace: bool
    ) -> tuple[OutputFile, ...]:
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
