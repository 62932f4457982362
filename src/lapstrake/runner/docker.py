"""The runner ``docker``: commands in containers of Docker Engine or podman.

The stack becomes an image, once. Each command gets a container of its own, since what a command may
use and reach is fixed when its container is made; the workspace is the last container, stopped,
and becomes an image itself when one more command is to run in it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host import engine as engines
from lapstrake.host.engine import Engine
from lapstrake.host.engine_version import EngineKind
from lapstrake.runner.base import Lack, Session
from lapstrake.runner.docker_image import LABEL, image_of
from lapstrake.runner.docker_owner import OWNER, is_dead, own_name
from lapstrake.runner.docker_session import DockerSession


class DockerRunner:
    """Commands in containers.

    Args:
        program: docker's or podman's program; found when empty.
        options: more options for each container.
        image: an image to work in, whatever the stack is.
    """

    name = "docker"
    isolates = True
    mounts = False

    def __init__(self, program: str = "", *, options: Sequence[str] = (), image: str = "") -> None:
        self.program = program
        self.options = tuple(options)
        self.image = image

    def probe(self) -> tuple[Lack, ...]:
        """What this host lacks for containers."""
        try:
            engine = engines.find_engine(self.program)
        except RunnerError as none:
            what = f"{none.brief} ({none.details.replace(chr(10), '; ')})"
            return (Lack(what=what, remedy=none.resolution),)
        if os.geteuid() != 0 and engine.kind is EngineKind.DOCKER:
            return (
                Lack(
                    what="docker's files are not ours: the disk limit does not hold",
                    remedy="Use podman or the runner userns where it matters.",
                    blocks=False,
                ),
            )
        return ()

    @contextlib.contextmanager
    def open(self, stack: tuple[Path, ...], workspace: Path) -> Iterator[Session]:
        """Enter a stack; see `Runner.open`."""
        engine = engines.find_engine(self.program)
        remove_leftovers(engine)
        image = self.image or image_of(engine, stack, workspace)
        session = DockerSession(engine, image, workspace, options=self.options)
        try:
            yield session
        finally:
            session.close()


def remove_leftovers(engine: Engine) -> int:
    """Remove the containers, and images of workspaces, of processes that were killed.

    Returns:
        how many there were.
    """
    dead: dict[str, list[str]] = {"container": [], "image": []}
    for kind, names in dead.items():
        for name in engine.labelled(kind, OWNER):
            facts = engine.inspect(kind, name)
            owner = (facts["Config"].get("Labels") or {}).get(OWNER, "") if facts else ""
            if is_dead(owner):
                names.append(name)
    engine.remove(dead["container"], dead["image"])
    return len(dead["container"]) + len(dead["image"])


def remove_images(engine: Engine) -> int:
    """Remove all images made from stacks, for ``cleanup all``; those in use stay.

    Returns:
        how many there were.
    """
    remove_leftovers(engine)
    images = engine.labelled("image", LABEL)
    for image in images:
        with contextlib.suppress(RunnerError):
            engine.call("rmi", image, doing="removing an image")
    return len(images) - len(engine.labelled("image", LABEL))


__all__ = ["OWNER", "DockerRunner", "own_name", "remove_images", "remove_leftovers"]
