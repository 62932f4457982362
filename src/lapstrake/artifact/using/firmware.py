"""Packing a project into firmware with its system's own script, ``scripts/rel2fw.sh`` (row H13)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.artifact.base import Project
from lapstrake.artifact.using.firmware_tools import check_tools
from lapstrake.errors import ArtifactError, BuildError, ProjectError, ToolchainError
from lapstrake.host import files, sandbox, supervise
from lapstrake.host.process import tail
from lapstrake.host.usage import Limits
from lapstrake.progress import Progress

SCRIPT = Path("scripts", "rel2fw.sh")
"""The packing script in a system's artifact."""

_FOLDER = ".nerves"
_NEVER_OVERLAID = ("data", "dev", "proc", "root", "sys", "tmp")
"""What is mounted over on the device: files put there could never be seen."""
_KEPT_OUTPUT = 1 << 14  # bytes of the script's output, for its error


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What is run: all of it was checked.

    Attributes:
        script: the system's script.
        words: its arguments but for ``-f`` and the release.
        release: the folder of the application's files.
        output: the firmware.
        environment: the script's whole environment.
        folder: where it is run: the project.
    """

    script: Path
    words: tuple[str, ...]
    release: Path
    output: Path
    environment: Mapping[str, str]
    folder: Path


def plan_packing(project: Project, environment: Mapping[str, str]) -> Packing:
    """Check all that packing needs, before anything is written.

    Args:
        project: what is packed; `Project.firmware` says how.
        environment: its cross environment, as a program sees it.

    Raises:
        ToolchainError: the project has no system or no toolchain, or the host lacks a program.
        ArtifactError: the system has no packing script, or no ``images/fwup.conf``.
        ProjectError: what ``[firmware]`` names is missing or cannot be used.
    """
    for name in ("NERVES_SYSTEM", "NERVES_TOOLCHAIN"):
        if not environment.get(name):
            raise ToolchainError(
                f"{name} is not known: packing needs a system and a toolchain",
                resolution="Let the project depend on both.",
            )
    system = Path(environment["NERVES_SYSTEM"])
    script = system / SCRIPT
    if not script.is_file():
        raise ArtifactError(
            f"{script} does not exist: the system cannot pack firmware",
            resolution="Depend on a system that brings it.",
        )
    check_tools(script.parent, environment)
    wanted = project.firmware
    config = _existing(project, wanted.config, "config") or system / "images/fwup.conf"
    if not config.is_file():
        raise ArtifactError(
            f"{config} does not exist",
            resolution="Name one in lapstrake.toml: [firmware] config",
        )
    return Packing(
        script=script,
        words=("-c", str(config), *_words(project)),
        release=_release(project),
        output=_output(project),
        environment={**environment, **_variables(project)},
        folder=project.folder,
    )


def pack_firmware(packing: Packing, progress: Progress) -> Path:
    """Run the system's script; the firmware appears when all of it is there.

    Returns:
        the firmware.

    Raises:
        BuildError: the script failed, or left no firmware.
        Interrupted: all that was started is dead.
    """
    packing.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = files.temporary_name(packing.output)
    own = packing.folder / _FOLDER
    own.mkdir(exist_ok=True)
    build = Path(tempfile.mkdtemp(prefix="firmware-", dir=own))  # scripts clean up in it
    try:
        _run(packing, temporary, build, progress)
        if temporary.is_symlink() or not temporary.is_file():
            raise BuildError(f"{packing.script} ended well, but left no firmware")
        files.sync_file(temporary)
        temporary.replace(packing.output)
        files.sync_folder(packing.output.parent)
    finally:
        files.remove_tree(temporary)
        files.remove_tree(build)
    return packing.output


def _run(packing: Packing, output: Path, build: Path, progress: Progress) -> None:
    environment = {**packing.environment, "MIX_BUILD_PATH": str(build)}
    words = ("-f", str(output), *packing.words, str(packing.release))
    plan = sandbox.SandboxPlan(
        argv=("bash", str(packing.script), *words),
        env=environment,
        cwd=str(packing.folder),
        confined=False,
        adopts=True,
    )
    last = bytearray()

    def take(data: bytes) -> None:
        progress.output(data)
        last.extend(data)
        del last[:-_KEPT_OUTPUT]

    outcome = supervise.watch(sandbox.spawn(plan), limits=Limits(), on_output=take)
    if not outcome.ok:
        raise BuildError(
            f"{packing.script} ended with status {outcome.status}", details=tail(bytes(last))
        )


def _words(project: Project) -> list[str]:
    """The script's options for overlays, priorities and the like."""
    wanted, words = project.firmware, []
    for name in wanted.overlays:
        words += ["-a", _overlay(project, name)]
    for option, key in (("-p", "priorities"), ("-s", "post_script")):
        if path := _existing(project, getattr(wanted, key), key):
            words += [option, str(path)]
    return words


def _overlay(project: Project, name: str) -> str:
    """An overlay, relative to the project: the scripts join them with blanks.

    Raises:
        ProjectError: it is missing, has a blank in its name, or hides what nobody can see.
    """
    where = f"{project.file}: firmware.overlays: {name}"
    folder = project.folder / name
    if not folder.is_dir():
        raise ProjectError(f"{where} is no folder")
    if re.search(r"\s", name):
        raise ProjectError(
            f"{where}: systems' scripts cannot take a name with a blank", resolution="Rename it."
        )
    for below in _NEVER_OVERLAID:
        path = folder / below
        if path.is_symlink() or path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise ProjectError(
                f"{where} has something in /{below}, where the device mounts another file system",
                resolution="Move it: nothing would ever see it there.",
            )
    return name


def _existing(project: Project, name: str, key: str) -> Path | None:
    """A file that ``[firmware]`` names."""
    if not name:
        return None
    path = project.folder / name
    if not path.is_file():
        raise ProjectError(f"{project.file}: firmware.{key}: {path} is no file")
    return path


def _release(project: Project) -> Path:
    if not project.firmware.release:
        raise ProjectError(
            f"{project.file}: firmware.release is missing: nothing says what is packed",
            resolution="Name the folder of the application's files, there or on the command line.",
        )
    release = project.folder / project.firmware.release
    if not release.is_dir():
        raise ProjectError(
            f"{project.file}: firmware.release: {release} is no folder",
            resolution="Build the application first, in `lapstrake exec`.",
        )
    return release


def _output(project: Project) -> Path:
    default = Path(_FOLDER, "images", f"{project.name}.fw")
    return project.folder / (project.firmware.output or default)


def _variables(project: Project) -> dict[str, str]:
    wanted = project.firmware
    variables = {
        "NERVES_FW_VERSION": project.version,
        "NERVES_FW_PRODUCT": wanted.product or project.name,
        "NERVES_FW_DESCRIPTION": wanted.description,
        "NERVES_FW_AUTHOR": wanted.author,
    }
    if wanted.squashfs_flags:
        variables["NERVES_MKSQUASHFS_FLAGS"] = " ".join(wanted.squashfs_flags)
    return variables


def with_choices(project: Project, *, release: Path | None, output: Path | None) -> Project:
    """A project whose firmware is packed from, or to, somewhere else.

    Args:
        project: the project.
        release: instead of ``firmware.release``, relative to the current folder.
        output: instead of ``firmware.output``, likewise.
    """
    firmware = project.firmware
    if release is not None:
        firmware = replace(firmware, release=str(release.absolute()))
    if output is not None:
        firmware = replace(firmware, output=str(output.absolute()))
    return replace(project, firmware=firmware)
