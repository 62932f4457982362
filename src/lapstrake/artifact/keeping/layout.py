"""Where what lies in the folder of artifacts: theirs under their own names, ours in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OURS = ".lapstrake"
"""The folder of what is no artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLayout:
    """The paths in a folder of artifacts; names are those of `Identity.download_name`.

    Attributes:
        root: the folder.
    """

    root: Path

    @property
    def notes(self) -> Path:
        """A folder for what is quicker to remember than to find out."""
        return self.root / OURS / "notes"

    @property
    def works(self) -> Path:
        """The folder that has a folder for each artifact that is being put."""
        return self.root / OURS / "work"

    def artifact(self, name: str) -> Path:
        """The artifact itself: a tree, or a link to a build."""
        return self.root / name

    def record(self, name: str) -> Path:
        """The file that says what it was made of, and whose time says when it was last used."""
        return self.root / OURS / "records" / name

    def lock(self, name: str) -> Path:
        """Held while it is put or removed."""
        return self.root / OURS / "locks" / name

    def use_lock(self, name: str) -> Path:
        """Held while it is used, by any number."""
        return self.lock(f"{name}.use")

    def work(self, name: str) -> Path:
        """Where it is put; the next to put it clears that away."""
        return self.works / name
