"""Archives in a folder of this host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lapstrake.artifact.base import FolderSite, Package
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.artifact.sites.others import describe_others
from lapstrake.artifact.sites.transfer import verify_sha256
from lapstrake.host.files import copy_bytes, open_regular, read_regular
from lapstrake.progress import Progress

_LONGEST_DIGEST = 4096  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCandidate:
    """One file there.

    Attributes:
        folder: the folder, absolute.
        identity: what is wanted.
    """

    folder: Path
    identity: Identity

    @property
    def where(self) -> str:
        """See `Candidate`."""
        return str(self.folder / self.identity.file_name)

    def get(self, target: Path, terms: Terms, progress: Progress) -> None:  # noqa: ARG002 - nothing to tell
        """See `Candidate`; a file ``.sha256`` beside the archive says what its bytes are."""
        file = self.folder / self.identity.file_name
        try:
            with open_regular(file) as reader:
                size = os.fstat(reader.fileno()).st_size
                if size > terms.largest:
                    raise SiteError(f"it has {size} bytes, {terms.largest} are the most")
                with target.open("wb") as writer:
                    copy_bytes(reader.fileno(), writer.fileno())
        except FileNotFoundError as missing:
            raise NotThereError(self._missing()) from missing
        except OSError as refused:
            if refused.filename != str(file):
                raise  # it is our own disk
            raise SiteError(f"cannot be read: {refused.strerror}") from refused
        if said := self._said(file.with_name(f"{file.name}.sha256")):
            verify_sha256(target, said)

    def _said(self, beside: Path) -> str:
        """The digest in the file beside an archive; empty when there is no such file."""
        try:
            text = read_regular(beside, limit=_LONGEST_DIGEST).decode("ascii", "replace")
        except FileNotFoundError:
            return ""
        except OSError as refused:
            raise SiteError(f"{beside.name} cannot be read: {refused.strerror}") from refused
        return text.partition(" ")[0].strip() or "nothing"

    def _missing(self) -> str:
        if not self.folder.is_dir():
            return f"there is no folder {self.folder}"
        others = describe_others(self.identity, (each.name for each in self.folder.iterdir()))
        return f"no such file{others}"


def plan_folder(site: FolderSite, identity: Identity, package: Package) -> tuple[FolderCandidate]:
    """The file that a folder may have; a relative one is below the package's own folder."""
    folder = package.folder / site.path.expanduser()
    return (FolderCandidate(folder=folder.resolve(), identity=identity),)
