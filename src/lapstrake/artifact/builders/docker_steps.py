"""Steps in containers that share their volumes, one container at a time."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lapstrake.artifact.builders.base import WORK, Job
from lapstrake.artifact.builders.docker_container import ContainerPlan, User, client_environment
from lapstrake.artifact.builders.hints import hint_of
from lapstrake.artifact.builders.snapshot import is_left_out
from lapstrake.artifact.builders.steps import Step
from lapstrake.artifact.builders.volume import Volume, note_copies
from lapstrake.errors import BuildError, RunnerError
from lapstrake.host.engine import Engine
from lapstrake.host.engine_version import EngineKind, is_unreachable
from lapstrake.names import GuestPath
from lapstrake.runner.base import Limits, OnOutput, Outcome
from lapstrake.runner.docker_client import run_attached, talk_attached
from lapstrake.runner.docker_owner import OWNER, own_name


class Containers:
    """The containers of one job; at most one is there at a time.

    Args:
        engine: docker or podman.
        job: what is built.
        plan: how they are made.
        volumes: all that are mounted.
        copies: those of them whose copy is still to be made.
        user: whose the volumes are to be.
    """

    def __init__(
        self,
        engine: Engine,
        job: Job,
        plan: ContainerPlan,
        *,
        volumes: Sequence[Volume],
        copies: Sequence[Volume],
        user: User,
    ) -> None:
        self._engine = engine
        self._job = job
        self._plan = plan
        self._volumes = tuple(volumes)
        self._copies = tuple(copies)
        self._user = user
        self._ready = False
        self._container = ""

    def claim(self) -> None:
        """See to it that nobody else builds there.

        Raises:
            RunnerError: another process does.
        """
        facts = self._engine.inspect("container", self._plan.name)
        if facts is None:
            return
        if (facts["Config"].get("Labels") or {}).get(OWNER) != own_name():
            stop = f"{self._engine.kind} rm --force {self._plan.name}"
            raise RunnerError(
                f"{self._job.package.name} is being built by another process",
                resolution=f"Wait until it has ended, or end it: {stop}",
            )
        self._engine.remove([self._plan.name])  # the engine went away when we were to do it

    def run(self, step: Step, on_output: OnOutput) -> Outcome:
        """Run a step to its end.

        Raises:
            RunnerError: it could not be started, or the engine went away.
        """
        container = self._create(step.argv)
        with self._told_if_gone():
            ran = run_attached(self._engine, container, limits=Limits(), on_output=on_output)
        self._heed(ran.refusal)
        return ran.outcome

    def interact(self, argv: Sequence[str]) -> int:
        """Run a command on our terminal; gives its exit status."""
        container = self._create(argv, interactive=True)
        with self._told_if_gone():
            status, refusal = talk_attached(self._engine, container)
        self._heed(refusal)
        return status

    def fetch(self, output: str, target: Path) -> None:
        """Copy a file or a tree of the build directory to the same name below a folder.

        The last step's container is asked. Nothing is copied when it is not there.

        Raises:
            BuildError: it is neither a file, a folder nor a link, or there is no room for it.
        """
        place = target / output
        place.parent.mkdir(parents=True, exist_ok=True)
        self._engine.copy_out(self._container, WORK / output, place, whole=True, error=BuildError)

    def close(self) -> None:
        """Remove the container, running or not."""
        if self._container:
            self._engine.remove([self._container])
            self._container = ""

    def _create(self, argv: Sequence[str], *, interactive: bool = False) -> str:
        self.close()
        answer = self._engine.call(
            "create", *self._plan.words(argv, terminal=interactive),
            doing=f"making a container to build {self._job.package.name} in",
            env=client_environment(self._plan.environment),
        )  # fmt: skip
        self._container = answer.text.split()[-1]
        if not self._ready:
            self._make_ready()
            self._ready = True
        return self._container

    def _make_ready(self) -> None:
        """Fill the copies, and give the volumes to the user; no program of the image is needed."""
        with tempfile.TemporaryDirectory(dir=self._job.folder) as folder:
            tar = Path(folder, "in.tar")
            for volume in self._copies:
                assert volume.source is not None  # noqa: S101 - copies have one
                _pack(volume.source, tar, self._user)
                self._engine.copy_in(self._container, tar, volume.target)
            if self._copies:
                note_copies(self._engine, self._job, self._volumes)
            # Podman gives a new volume to the container's user by itself.
            if self._user.uid != 0 and self._engine.kind is EngineKind.DOCKER:
                _pack_folders([volume.target for volume in self._volumes], tar, self._user)
                self._engine.copy_in(self._container, tar)

    @contextmanager
    def _told_if_gone(self) -> Iterator[None]:
        """Say so when the engine goes away while a step runs."""
        try:
            yield
        except RunnerError as failed:
            if not is_unreachable(failed.details):
                raise
            raise RunnerError(
                f"{self._job.package.name}: {self._engine.kind} stopped answering while it was "
                "built",
                details=failed.details,
                resolution=f"{failed.resolution} What was built so far is kept.",
            ) from failed

    def _heed(self, refusal: str | None) -> None:
        """Raise an error if a step never began."""
        if refusal is not None:
            raise RunnerError(
                f"{self._job.package.name}: {self._engine.kind} could not start a step",
                details=refusal,
                resolution=hint_of(refusal.splitlines())
                or "The image needs a shell (sh), and must be made for this machine.",
            )


def _pack(source: Path, tar: Path, user: User) -> None:
    """A tar of a folder's content, as the user's."""

    def as_users(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        top = entry.name.removeprefix("./").partition("/")[0]
        if is_left_out(top) or not _is_plain(entry):
            return None
        return _owned(entry, user)

    try:
        with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT, dereference=False) as file:
            file.add(source, arcname=".", filter=as_users)
    except OSError as refused:
        where = refused.filename or source
        raise BuildError(f"copying {where}: {refused.strerror}") from refused


def _is_plain(entry: tarfile.TarInfo) -> bool:
    return entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()


def _pack_folders(folders: Sequence[GuestPath], tar: Path, user: User) -> None:
    """A tar of folders alone: unpacked, it changes whose they are."""
    with tarfile.open(tar, "w") as file:
        for folder in folders:
            entry = tarfile.TarInfo(str(folder).lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            file.addfile(_owned(entry, user))


def _owned(entry: tarfile.TarInfo, user: User) -> tarfile.TarInfo:
    entry.uid, entry.gid = user.uid, user.gid
    entry.uname = entry.gname = ""
    return entry
