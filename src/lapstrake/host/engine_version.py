"""Which container engine a program is, whether it is new enough, and why one does not answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from lapstrake.errors import RunnerError

_VERSION = re.compile(r"^(docker|podman) version v?(\d+(?:\.\d+)*)", re.IGNORECASE | re.MULTILINE)


class EngineKind(StrEnum):
    """Which of the two it is: their command lines differ in a few words."""

    DOCKER = "docker"
    PODMAN = "podman"


LEAST = {EngineKind.DOCKER: (17, 6), EngineKind.PODMAN: (3, 0)}
"""The first versions with all that is used here (docker: ``run --mount``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVersion:
    """What a program calls itself.

    Attributes:
        kind: podman may be installed as ``docker``.
        numbers: ``17.03.1-ce`` is ``(17, 3, 1)``.
    """

    kind: EngineKind
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind} {_dotted(self.numbers)}"


def parse_version(answer: str) -> EngineVersion:
    """Read what ``PROGRAM --version`` answers.

    Args:
        answer: ``Docker version 20.10.24+dfsg1, build ...`` or ``podman version 4.3.1``.

    Raises:
        RunnerError: it is another program, or too old.
    """
    found = _VERSION.search(answer)
    if found is None:
        said = answer.strip().partition("\n")[0][:100]
        raise RunnerError(f"it is neither docker nor podman (it says {said!r})")
    kind = EngineKind(found[1].lower())
    numbers = tuple(int(number) for number in found[2].split("."))
    version = EngineVersion(kind=kind, numbers=numbers)
    if numbers < LEAST[kind]:
        least = _dotted(LEAST[kind])
        raise RunnerError(
            f"{version} is too old: {least} is needed", resolution=f"Install {kind} {least}."
        )
    return version


def is_unreachable(message: str) -> bool:
    """Whether an engine's client tells that the engine itself does not answer."""
    return bool(_unreachable(message))


def remedy(message: str) -> str:
    """What to do about a client's message; empty when the engine itself is well."""
    return {
        "permission": "Join the group docker (then log in anew), or use podman.",
        "silent": "Start docker's daemon (systemctl start docker), look at DOCKER_HOST, or use "
        "podman.",
    }.get(_unreachable(message), "")


def _unreachable(message: str) -> str:
    text = message.lower()
    if "permission denied" in text and ("trying to connect" in text or "dial unix" in text):
        return "permission"
    silent = ("cannot connect to", "error during connect", "is the docker daemon running")
    return "silent" if any(word in text for word in silent) else ""


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
