"""The host's programs that packing scripts use."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import ToolchainError
from lapstrake.host.process import run

_ASKING_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTool:
    """A program of the host that packing scripts use.

    Attributes:
        name: the program.
        remedy: how one comes by it.
        least: the lowest version that will do; empty for any.
        below: the first version that will not.
    """

    name: str
    remedy: str
    least: tuple[int, ...] = ()
    below: tuple[int, ...] = ()


HOST_TOOLS = (
    HostTool(
        name="fwup",
        remedy="Install it: https://github.com/fwup-home/fwup#installing",
        least=(1, 8),
        below=(2,),
    ),
    HostTool(name="mksquashfs", remedy="Install it: apt install squashfs-tools"),
)
"""Only those that a system's scripts name are asked for."""


def check_tools(scripts: Path, environment: Mapping[str, str]) -> None:
    """See whether the host has the programs that a system's scripts name.

    Args:
        scripts: the folder of the scripts.
        environment: theirs: ``PATH``, and ``NERVES_TOOLCHAIN``, which may bring its own.

    Raises:
        ToolchainError: one is missing, or of a version that will not do.
    """
    texts = [each.read_text("utf-8", "replace") for each in scripts.iterdir() if each.is_file()]
    for tool in HOST_TOOLS:
        if any(re.search(rf"\b{tool.name}\b", text) for text in texts):
            check_tool(tool, environment)


def check_tool(tool: HostTool, environment: Mapping[str, str]) -> None:
    """See whether the host has a program, in a version that will do.

    Raises:
        ToolchainError: it has not; says what to do.
    """
    own = Path(environment.get("NERVES_TOOLCHAIN", ""), "usr/bin", tool.name)
    path = environment.get("PATH", "")
    found = str(own) if own.is_file() else shutil.which(tool.name, path=path)
    if found is None:
        raise ToolchainError(f"the program {tool.name} is not installed", resolution=tool.remedy)
    if not tool.least:
        return
    done = run((found, "--version"), timeout=_ASKING_SECONDS, error=ToolchainError)
    version = _version(done.text)
    if not version or not tool.least <= version < tool.below:
        raise ToolchainError(
            f"{found} is version {_dotted(version) or 'unknown'}, but {_dotted(tool.least)} or"
            f" later, below {_dotted(tool.below)}, is needed",
            resolution=tool.remedy,
        )


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
