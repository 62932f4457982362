"""One workspace in a container engine, and the commands that run in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host import files, seccomp, transfer
from lapstrake.host.engine import Engine
from lapstrake.host.engine_version import EngineKind
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, OnOutput, Outcome
from lapstrake.runner.docker_client import run_attached, talk_attached
from lapstrake.runner.docker_options import create_options, script, ulimit_options, variable_names
from lapstrake.runner.docker_owner import OWNER, own_name


class DockerSession:
    """An image below, and one stopped container on top that holds what was written.

    Args:
        engine: the engine.
        image: the stack's image.
        workspace: an empty folder of the host for what is on its way in.
        options: more options for each container.
    """

    def __init__(
        self, engine: Engine, image: str, workspace: Path, *, options: Sequence[str] = ()
    ) -> None:
        self.engine = engine
        self.image = image
        self.options = tuple(options)
        self.workspace = workspace
        self.waiting: list[Path] = []  # tars to unpack in the next container
        self.container = ""
        self.commits: list[str] = []
        self.seen = _image_variables(engine, image)
        # Binds are made by the engine's daemon as long as the container exists, also to copy.
        self.shown = Path(tempfile.mkdtemp(prefix="shown-", dir=workspace))
        self.vault: Path | None = None
        self.profile = workspace / "seccomp.json"
        self.profile.write_text(seccomp.engine_profile())

    def run(self, command: Command, *, on_output: OnOutput) -> Outcome:
        """Run a command in a container of its own; see `Session.run`."""
        container = self._create(command, terminal=False)
        ran = run_attached(
            self.engine,
            container,
            limits=command.limits,
            on_output=on_output,
            workspace=self._upper(container),
        )
        self._end(ran.refusal)
        return ran.outcome

    def interact(self, command: Command) -> int:
        """Run a command on our terminal; the client passes the window's size on."""
        env = {"TERM": os.environ.get("TERM", "dumb"), **command.env}
        container = self._create(replace(command, env=env), terminal=True)
        status, refusal = talk_attached(self.engine, container)
        self._end(refusal)
        return status

    def put(self, source: Path, target: GuestPath, *, move: bool = False) -> None:
        """Pack it now, unpack it in the next container; see `Session.put`."""
        handle, name = tempfile.mkstemp(suffix=".tar", prefix="put-", dir=self.workspace)
        with os.fdopen(handle, "wb") as file:
            transfer.pack_tree(source, target, file)
        self.waiting.append(Path(name))
        if move:
            files.remove_tree(source)

    def get(self, source: GuestPath, target: Path) -> None:
        """Copy out of the stopped container; see `Session.get`."""
        if not self.container:
            self.container = self._new_container(Command(argv=("/bin/true",)), terminal=False)
        self._unpack_waiting()
        self.engine.copy_out(self.container, source, target)

    def capture(self, target: Path) -> None:
        """Not offered: an engine keeps a workspace's changes to itself."""
        raise RunnerError(
            f"the runner docker makes no layers ({target.name})",
            resolution="Let userns or nspawn make them: set runner.name to one of these.",
        )

    def close(self) -> None:
        """Remove the workspace."""
        self.engine.remove([self.container] if self.container else [], self.commits)
        self.container = ""
        self._close_vault()

    def _create(self, command: Command, *, terminal: bool) -> str:
        """A container for a command, with the workspace as it is and what waits in it."""
        if self.container:
            self._unpack_waiting()
            self.commits.append(self._commit())
            self.engine.remove([self.container])
            self.container = ""
        self.container = self._new_container(command, terminal=terminal)
        self._unpack_waiting()
        self.seen |= set(command.env)
        return self.container

    def _new_container(self, command: Command, *, terminal: bool) -> str:
        image = self.commits[-1] if self.commits else self.image
        options = create_options(
            command, terminal=terminal, profile=self.profile, shown=self._show(command)
        )
        if self.engine.kind is EngineKind.PODMAN:
            options += ulimit_options()
        words = [*options, f"--label={OWNER}={own_name()}", *self.options, "--", image]
        shell = script(variable_names(self.seen) - set(command.env), terminal=terminal)
        answer = self.engine.call(
            "create", *words, "-c", shell, "sh", *command.argv, doing="making a container"
        )
        return answer.text.split()[-1]

    def _show(self, command: Command) -> dict[GuestPath, Path]:
        """The command's files and secrets as files of the host, to be bound."""
        self._close_vault()
        shown = {}
        for target, content in command.files.items():
            shown[target] = _write(self.shown, content, 0o755 if _is_script(content) else 0o644)
        if command.secrets:
            memory = os.environ.get("XDG_RUNTIME_DIR") or "/dev/shm"  # noqa: S108 - a mkdtemp's place
            self.vault = Path(tempfile.mkdtemp(prefix="lapstrake-", dir=memory))
        for target, content in command.secrets.items():
            assert self.vault is not None  # noqa: S101 - made above
            shown[target] = _write(self.vault, content, 0o400)
            if os.geteuid() == 0:
                os.chown(shown[target], command.user, command.user)
        return shown

    def _empty_vault(self) -> None:
        """Forget the secrets; the engine still wants their files when it copies."""
        for file in self.vault.iterdir() if self.vault else ():
            os.truncate(file, 0)

    def _close_vault(self) -> None:
        if self.vault is not None:
            shutil.rmtree(self.vault)
            self.vault = None

    def _end(self, refusal: str | None) -> None:
        """Tell a container that was never started from a command that failed."""
        self._empty_vault()
        if refusal is not None:
            raise RunnerError(
                f"{self.engine.kind} could not start the command",
                details=refusal,
                resolution="Run `lapstrake doctor`, or use another runner.",
            )

    def _unpack_waiting(self) -> None:
        for tar in self.waiting:
            self.engine.copy_in(self.container, tar)
            tar.unlink()
        self.waiting.clear()

    def _commit(self) -> str:
        """Make the workspace an image that the next command starts from."""
        answer = self.engine.call(
            "commit", "--pause=false", self.container, doing="keeping the workspace", timeout=1800
        )
        return answer.text.split()[-1]

    def _upper(self, container: str) -> Path | None:
        """The folder of this host that takes the container's writes, if we may see it."""
        facts = self.engine.inspect("container", container)
        data = ((facts or {}).get("GraphDriver") or {}).get("Data") or {}
        upper = Path(data.get("UpperDir") or "/nowhere")
        return upper if os.access(upper, os.R_OK | os.X_OK) else None


def _image_variables(engine: Engine, image: str) -> set[str]:
    """The variables that an image sets for every command."""
    facts = engine.inspect("image", image)
    config = (facts or {}).get("Config") or {}
    return {row.partition("=")[0] for row in config.get("Env") or ()}


def _write(folder: Path, content: bytes, mode: int) -> Path:
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        os.fchmod(handle, mode)
    return Path(name)


def _is_script(content: bytes) -> bool:
    return content.startswith(b"#!")
