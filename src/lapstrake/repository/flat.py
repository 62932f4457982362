"""A branch's repository: a flat, signed apt repository in ``work_dir/output/BRANCH``.

The folder itself is the truth that users know: package files put there or removed by hand are taken
up by the next publication.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lapstrake.errors import PublishError
from lapstrake.formats.aptindex import IndexEntry, render_sources
from lapstrake.formats.debversion import version_key
from lapstrake.host import files
from lapstrake.host.files import write_atomic
from lapstrake.host.locks import locked
from lapstrake.names import BranchName, Digest
from lapstrake.repository import shelf
from lapstrake.repository.check import check_repository
from lapstrake.repository.generation import (
    PRIVATE,
    Generation,
    Names,
    current_digest,
    drop_old,
    is_whole,
    load_generation,
    save_cache,
    write_generation,
)
from lapstrake.repository.publication import Action, Published, plan, refuse_twins
from lapstrake.repository.signing import Signer


class Repository:
    """The repository of one branch.

    Any number of processes may use it at once; who changes it has its lock meanwhile.

    Args:
        path: its folder, ``work_dir/output/BRANCH``; made when something is published.
        branch: the branch.
        signer: gives the key; called only when something is signed.
        origin: the field ``Origin`` of its ``Release``.
        label: the field ``Label``; the branch's name follows it.
        on_warning: told of files in the folder that are no packages.
        on_wait: told, once, when another process has the lock.
        timeout: seconds to wait for the lock.
    """

    def __init__(
        self,
        path: Path,
        branch: BranchName,
        signer: Callable[[], Signer],
        *,
        origin: str = "Lapstrake",
        label: str = "Lapstrake",
        on_warning: Callable[[str], None] = lambda _: None,
        on_wait: Callable[[str], None] | None = None,
        timeout: float = 600.0,
    ) -> None:
        self.path = path
        self.branch = branch
        self._signer = signer
        self._origin = origin
        self._label = label
        self._on_warning = on_warning
        self._on_wait = on_wait
        self._timeout = timeout

    def state(self) -> Digest:
        """The digest of the published ``Packages``; of an empty one before the first time."""
        return current_digest(self.path)

    def packages(self) -> tuple[IndexEntry, ...]:
        """The published packages, by name, version (as text) and architecture."""
        return load_generation(self.path).entries

    def find(self, package: str) -> tuple[IndexEntry, ...]:
        """The published versions of a package, newest first."""
        found = [entry for entry in self.packages() if entry.package == package]
        return tuple(sorted(found, key=_by_version, reverse=True))

    def publish(
        self, debs: Sequence[Path], build_id: str = "", *, replace: bool = True
    ) -> tuple[Published, ...]:
        """Publish package files, all in one step: readers see none of them or all.

        A file that is there already with the same bytes is kept. A build's default is to replace
        another file of the same name, version and architecture: the last build is what counts.

        Args:
            debs: the files, called ``NAME_VERSION_ARCH.deb``; they are copied.
            build_id: names the build, in the index (one line).
            replace: whether other bytes of the same package and version may be replaced.

        Returns:
            what became of each, in the same order.

        Raises:
            PackError: a file is no sound package; nothing is published.
            PublishError: a collision, or the repository cannot be written; nothing is published.
        """
        if any(not letter.isprintable() for letter in build_id):
            raise PublishError(f"{build_id!r} cannot name a build: it must be one printable line")
        incoming = [shelf.inspect(path, build_id) for path in debs]
        refuse_twins(incoming)
        with self._changing() as before:
            plans = [plan(before, item, replace=replace, folder=self.path) for item in incoming]
            changed = [step for step in plans if step.result.action is not Action.KEPT]
            self._change(
                before,
                gone={old.name for step in changed for old in step.replaced},
                incoming=[step.incoming for step in changed],
            )
        return tuple(step.result for step in plans)

    def remove(self, package: str, version: str | None = None) -> tuple[IndexEntry, ...]:
        """Remove a package, or one version of it; gives what was removed."""
        with self._changing() as before:
            gone = [
                entry
                for entry in before.entries
                if entry.package == package and version in (None, entry.version)
            ]
            self._change(before, gone={entry.name for entry in gone})
        return tuple(gone)

    def prune(self, keep: int) -> tuple[IndexEntry, ...]:
        """Remove all but the newest versions of each package and architecture.

        Args:
            keep: how many versions stay; at least 1.

        Returns:
            what was removed.
        """
        if keep < 1:
            raise PublishError(f"prune must keep at least one version, not {keep}")
        with self._changing() as before:
            groups: dict[tuple[str, str], list[IndexEntry]] = {}
            for entry in before.entries:
                groups.setdefault((entry.package, entry.architecture), []).append(entry)
            gone = [
                entry
                for group in groups.values()
                for entry in sorted(group, key=_by_version, reverse=True)[keep:]
            ]
            self._change(before, gone={entry.name for entry in gone})
        return tuple(gone)

    def refresh(self) -> Digest:
        """Bring the index up to date with the folder; gives the new state."""
        with self._changing() as before:
            self._change(before)
        return self.state()

    def verify(self) -> tuple[str, ...]:
        """Check signature, index and every file's bytes; gives a line for each thing wrong."""
        if not (self.path / "InRelease").exists():
            return ()
        with self._locked(exclusive=False):
            return check_repository(self.path)

    def sources_text(self, uri: str) -> str:
        """The ``.sources`` file by which apt uses this repository from `uri`, key included.

        Raises:
            PublishError: nothing was ever published.
        """
        try:
            key = (self.path / "key.asc").read_text(encoding="ascii")
        except FileNotFoundError as missing:
            raise PublishError(f"the repository of {self.branch} has no key yet") from missing
        return render_sources(uri=uri, key=key)

    @contextmanager
    def _locked(self, *, exclusive: bool) -> Iterator[None]:
        with (
            _telling(self.branch, self.path),
            locked(
                self.path / PRIVATE / "lock",
                what=f"the repository of {self.branch}",
                exclusive=exclusive,
                timeout=self._timeout,
                error=PublishError,
                on_wait=self._on_wait,
            ),
        ):
            yield

    @contextmanager
    def _changing(self) -> Iterator[Generation]:
        """Hold the lock, with what a killed publication left put right and hand work taken up."""
        with self._locked(exclusive=True):
            before = load_generation(self.path)
            shelf.sweep(self.path)
            shelf.finish(self.path, before)
            found = shelf.scan(self.path, before, on_warning=self._on_warning)
            if set(found.entries) != set(before.entries):
                before = self._switch(before, found.entries, found.seen)
            elif found.seen != before.seen:
                before = replace(before, seen=found.seen)
                if before.history:
                    save_cache(self.path, before)
            yield before

    def _change(
        self,
        before: Generation,
        *,
        gone: Iterable[str] = (),
        incoming: Sequence[shelf.Incoming] = (),
    ) -> None:
        """Go to an index without the files `gone` and with the ones incoming."""
        dropped = set(gone)
        if not dropped and not incoming:
            self._repair(before)
            return
        taken = {entry.name for entry in before.entries}
        shelf.begin(self.path, sorted(dropped | {item.deb.path.name for item in incoming}))
        try:
            added = [
                shelf.shelve(self.path, item, taken=item.deb.path.name in taken)
                for item in incoming
            ]
            seen = {name: looks for name, looks in before.seen.items() if name not in dropped}
            seen |= {entry.name: shelf.look(self.path / entry.location) for entry in added}
            kept = [entry for entry in before.entries if entry.name not in dropped]
            after = self._switch(before, (*kept, *added), seen)
        except BaseException:
            shelf.finish(self.path, load_generation(self.path))  # whichever of the two it is now
            raise
        shelf.finish(self.path, after)

    def _switch(
        self,
        before: Generation,
        entries: Sequence[IndexEntry],
        seen: dict[str, tuple[int, int]],
    ) -> Generation:
        signer = self._signer()
        self._offer_key(signer, before)
        after = write_generation(
            self.path,
            entries=entries,
            seen=seen,
            before=before,
            names=Names(suite=self.branch.text, origin=self._origin, label=self._label),
            signer=signer,
        )
        drop_old(self.path, after)
        return after

    def _repair(self, before: Generation) -> None:
        """Write the same index again when files of it are missing, or another key signs now."""
        signer = self._signer()
        self._offer_key(signer, before)
        if before.key != signer.fingerprint or not is_whole(self.path, before):
            self._switch(before, before.entries, dict(before.seen))

    def _offer_key(self, signer: Signer, before: Generation) -> None:
        """Put the public key and a ready ``.sources`` file beside the packages."""
        text, binary = self.path / "key.asc", self.path / "key.gpg"
        if before.key != signer.fingerprint or not (text.exists() and binary.exists()):
            write_atomic(binary, signer.public_key(armored=False))
            write_atomic(text, signer.public_key(armored=True))
        sources = self.path / f"{self.branch}.sources"
        wanted = self.sources_text(f"file:{self.path.absolute()}").encode()
        if not sources.exists() or sources.read_bytes() != wanted:
            write_atomic(sources, wanted)


def _by_version(entry: IndexEntry) -> Any:  # noqa: ANN401 - as version_key
    return version_key(entry.version)


@contextmanager
def _telling(branch: BranchName, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refused:
        if refused.errno in files.DISK_FULL:
            raise files.disk_error(refused, doing=f"publishing in {path}") from refused
        raise PublishError(
            f"the repository of {branch} cannot be used: {refused.filename}: {refused.strerror}"
        ) from refused
