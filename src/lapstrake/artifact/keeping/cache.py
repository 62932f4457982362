"""Artifacts, unpacked, on this machine: found by name and checksum, so branches keep their own.

::

    NAME-1234567/                       an artifact: a tree, or a link to a build; CHECKSUM in it
    NAME/                               one that Nerves put there: used, never changed
    .lapstrake/records/NAME-1234567     what it was made of; its time is when it was last used
    .lapstrake/locks/NAME-1234567       held while one is put or removed; .use while it is used
    .lapstrake/notes/                   what archives outside hashed to, see `override`
    .lapstrake/work/NAME-1234567/       one that is being put; the next to put it clears it away

An artifact appears by rename when all of it is on the disk: killed at any moment there is the old
one, or none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.artifact.identity import CHECKSUM, Identity
from lapstrake.artifact.keeping.entries import Entry, Record, read_checksum, read_record
from lapstrake.artifact.keeping.layout import CacheLayout
from lapstrake.artifact.keeping.listing import kept_in, tree_bytes
from lapstrake.errors import ArtifactError
from lapstrake.host import files
from lapstrake.host.locks import locked

if TYPE_CHECKING:
    from lapstrake.artifact.inputs.checksum import Inputs


class BusyError(ArtifactError):
    """Somebody uses the artifact."""


class ArtifactCache:
    """The folder of artifacts, for any number of processes at once.

    Args:
        root: the folder; made when it is first written to.
        on_wait: told, once, whom a wait is for.
    """

    def __init__(self, root: Path, *, on_wait: Callable[[str], None] | None = None) -> None:
        self.root = root.absolute()
        self.layout = CacheLayout(root=self.root)
        self._on_wait = on_wait

    def find(self, identity: Identity) -> Path | None:
        """The artifact made of these inputs, which counts as used now; or nothing."""
        path = self.layout.artifact(identity.download_name)
        if read_checksum(path) == identity.checksum:
            with suppress(OSError):  # a cache that may only be read
                os.utime(self.layout.record(identity.download_name))
            return path
        foreign = self.root / identity.name
        return foreign if read_checksum(foreign) == identity.checksum else None

    def put_archive(
        self,
        identity: Identity,
        archive: Path,
        *,
        inputs: Inputs | None = None,
        again: bool = False,
    ) -> Path:
        """Unpack an archive as an artifact, unless it is kept already.

        Args:
            identity: what it is.
            archive: see `unpack_archive`.
            inputs: noted, to say later what changed.
            again: replace one that is kept.

        Returns:
            where it is.

        Raises:
            ArtifactError: the archive is no good; what was kept before still is.
            BusyError: it would be replaced, and somebody uses it.
            StoreError: the disk is full; the same.
        """
        from lapstrake.artifact.archives.unpack import unpack_archive  # slow to import

        def make(new: Path) -> None:
            new.mkdir()
            unpack_archive(archive, new)
            files.remove_tree(new / CHECKSUM)

        return self._put(identity, make, inputs, again=again)

    def put_folder(
        self,
        identity: Identity,
        folder: Path,
        *,
        link: bool = False,
        inputs: Inputs | None = None,
        again: bool = False,
    ) -> Path:
        """Keep a folder as an artifact: a copy, or a link to it.

        Args:
            identity: what it is.
            folder: what was built; a linked one gets the file CHECKSUM.
            link: make a link, as Nerves does: cheap, and good for as long as the build stays.
            inputs: as of `put_archive`.
            again: as of `put_archive`.

        Returns:
            where it is: in the cache, or `folder` itself when that is the artifact's place.

        Raises:
            ArtifactError: there is no such folder, or one of the two is in the other.
            BusyError, StoreError: as `put_archive`.
        """
        folder = folder.absolute()
        target = self.layout.artifact(identity.download_name)
        if not folder.is_dir():
            raise ArtifactError(f"{folder} is no folder: there is nothing to keep")
        if self._same_place(folder, target):
            _write_checksum(folder, identity)
            return folder

        def make(new: Path) -> None:
            if link:
                _write_checksum(folder, identity)
                new.symlink_to(folder)
            else:
                from lapstrake.host.owned import copy_owned  # slow to import

                copy_owned(folder, new)

        return self._put(identity, make, inputs, again=again or link)

    def use(self, identity: Identity) -> AbstractContextManager[None]:
        """Keep an artifact from being removed or replaced while the block runs."""
        return self.use_folder(self.layout.artifact(identity.download_name))

    def use_folder(self, path: Path, *, inherited: bool = False) -> AbstractContextManager[None]:
        """The same for whatever is at a path: what is not in the cache, nobody here removes.

        Args:
            path: the artifact, as `find` gave it.
            inherited: programs that take our place use it on, see `locked`.
        """
        if path.parent != self.root or not os.access(self.root, os.W_OK):
            return nullcontext()
        return self._in_use(path.name, exclusive=False, inherited=inherited)

    def check_unused(self, identity: Identity) -> None:
        """See whether an artifact could be replaced now.

        Raises:
            BusyError: somebody uses it.
        """
        if os.path.lexists(self.layout.artifact(identity.download_name)):
            with self._in_use(identity.download_name, exclusive=True):
                pass

    def inputs(self, name: str) -> Mapping[str, str]:
        """What an artifact was made of: files and their SHA-256; empty when that was not noted."""
        record = read_record(self.layout.record(name))
        return record.inputs if record else {}

    def entries(self) -> tuple[Entry, ...]:
        """All that is kept, by name."""
        return tuple(kept_in(self.layout))

    def remove(self, name: str) -> bool:
        """Remove one by its name (`Identity.download_name`); what a link leads to stays.

        Returns:
            whether there was one.

        Raises:
            BusyError: somebody uses it.
        """
        with self._changing(name), self._in_use(name, exclusive=True):
            target = self.layout.artifact(name)
            there = os.path.lexists(target)
            if there:
                self._set_aside(name)
            self.layout.record(name).unlink(missing_ok=True)
            files.remove_tree(self.layout.work(name))
            return there

    def clear_work(self) -> None:
        """Remove what killed processes left."""
        works = self.layout.works
        for left in works.iterdir() if works.is_dir() else ():
            with suppress(BusyError), self._changing(left.name, timeout=0.0):
                files.remove_tree(left)

    def _put(
        self,
        identity: Identity,
        make: Callable[[Path], None],
        inputs: Inputs | None,
        *,
        again: bool,
    ) -> Path:
        """Make an artifact in private and give it its name."""
        name = identity.download_name
        target = self.layout.artifact(name)
        with self._changing(name):
            kept = None if again else self.find(identity)
            if kept is not None:
                return kept
            work = self.layout.work(name)
            try:
                files.remove_tree(work)
                work.mkdir(parents=True, mode=0o700)
                new = work / "new"
                make(new)
                if not new.is_symlink():
                    _write_checksum(new, identity)
                record = work / "record"
                record.write_bytes(_record_of(identity, new, inputs).encode())
                files.sync_filesystem(work)
                self.layout.record(name).parent.mkdir(exist_ok=True)
                with self._in_use(name, exclusive=True) if target.exists() else nullcontext():
                    record.rename(self.layout.record(name))
                    self._publish(name, new)
            except OSError as failed:
                raise files.disk_error(failed, doing=f"keeping {name}") from failed
            finally:
                with suppress(OSError):
                    files.remove_tree(work)
        return target

    def _publish(self, name: str, new: Path) -> None:
        """Give an artifact its name; what had it is removed afterwards."""
        target = self.layout.artifact(name)
        if os.path.lexists(target) and target.is_symlink() != new.is_symlink():
            self._set_aside(name)
        if new.is_symlink():
            new.rename(target)
        else:
            files.replace_dir(new, target, durable=False)
        files.sync_folder(self.root)

    def _set_aside(self, name: str) -> None:
        """Take an artifact's name away; what it had is removed with the working folder."""
        work = self.layout.work(name)
        work.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.layout.artifact(name).rename(files.temporary_name(work / "old"))
        files.sync_folder(self.root)

    def _same_place(self, folder: Path, target: Path) -> bool:
        """Whether a folder is the artifact's place already.

        Raises:
            ArtifactError: the folder holds the cache, or the other way round.
        """
        real, root = folder.resolve(), self.root.resolve()
        place = root / target.name
        if real in (place, target.resolve()):
            return True
        if root.is_relative_to(real) or real.is_relative_to(place):
            raise ArtifactError(
                f"{folder} cannot be kept in {self.root}: one of the two is in the other",
                resolution="Set artifacts.folder to a folder outside of what is built.",
            )
        return False

    @contextmanager
    def _changing(self, name: str, *, timeout: float | None = None) -> Iterator[None]:
        """Be the only one who puts or removes an artifact."""
        with locked(
            self.layout.lock(name), what=f"the artifact {name}", timeout=timeout, error=BusyError,
            on_wait=self._on_wait,
        ):  # fmt: skip
            yield

    def _in_use(
        self, name: str, *, exclusive: bool, inherited: bool = False
    ) -> AbstractContextManager[None]:
        timeout = 0.0 if exclusive else None
        return locked(
            self.layout.use_lock(name), what=f"the artifact {name}", exclusive=exclusive,
            inherited=inherited, timeout=timeout, error=BusyError,
        )  # fmt: skip


def _write_checksum(folder: Path, identity: Identity) -> None:
    files.write_atomic(folder / CHECKSUM, f"{identity.checksum}\n".encode(), durable=False)


def _record_of(identity: Identity, tree: Path, inputs: Inputs | None) -> Record:
    digests = {name: digest.hex() for name, digest in inputs.files.items()} if inputs else {}
    return Record(identity=identity, size=tree_bytes(tree), inputs=digests)
