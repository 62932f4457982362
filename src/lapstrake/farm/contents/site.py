"""The server's site of artifacts: a folder of archives that `lapstrake artifact get` asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lapstrake.farm.base import OutputFile
from lapstrake.farm.contents.base import Contents
from lapstrake.host.files import link_atomic, sync_folder


class ArtifactSite:
    """A folder of archives, called as artifacts are.

    Args:
        folder: made when something is published.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(self, outputs: Sequence[OutputFile], contents: Contents) -> tuple[OutputFile, ...]:
        """Put archives there; one of the same name gives way.

        Args:
            outputs: with names that were checked.
            contents: where their bytes are.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for output in outputs:
            link_atomic(contents.path(output.digest), self.folder / output.name)
        sync_folder(self.folder)
        return tuple(replace(output, published=output.name) for output in outputs)
