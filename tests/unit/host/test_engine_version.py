"""What container engines say of themselves."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lapstrake.errors import RunnerError
from lapstrake.host.engine import find_engine
from lapstrake.host.engine_version import EngineKind, is_unreachable, parse_version, remedy

DEAD = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?"
DENIED = (
    "permission denied while trying to connect to the Docker daemon socket at "
    'unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/version": '
    "dial unix /var/run/docker.sock: connect: permission denied"
)


@pytest.mark.parametrize(
    ("answer", "kind", "numbers"),
    [
        ("Docker version 17.06.1-ce, build 874a737\n", EngineKind.DOCKER, (17, 6, 1)),
        ("Docker version 20.10.24+dfsg1, build 297e128", EngineKind.DOCKER, (20, 10, 24)),
        ("podman version 4.3.1\n", EngineKind.PODMAN, (4, 3, 1)),
        ("podman version 5.0.0-rc1", EngineKind.PODMAN, (5, 0, 0)),
    ],
)
def test_versions_are_read(answer: str, kind: EngineKind, numbers: tuple[int, ...]) -> None:
    version = parse_version(answer)
    assert (version.kind, version.numbers) == (kind, numbers)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("Docker version 1.11.0, build 4dc5990", "docker 1.11.0 is too old: 17.6 is needed"),
        ("Docker version 17.03.1-ce, build c6d412e", "docker 17.3.1 is too old"),
        ("podman version 1.6.4", "podman 1.6.4 is too old: 3.0 is needed"),
        ("nerdctl version 1.7.0", "neither docker nor podman .it says 'nerdctl version 1.7.0'"),
        ("", "neither docker nor podman"),
    ],
)
def test_what_cannot_be_used_is_refused(answer: str, told: str) -> None:
    with pytest.raises(RunnerError, match=told):
        parse_version(answer)


def test_an_engine_that_does_not_answer_is_told_from_other_failures() -> None:
    assert is_unreachable(DEAD)
    assert "Start docker's daemon" in remedy(DEAD)
    assert is_unreachable(DENIED)
    assert "group docker" in remedy(DENIED)
    assert not is_unreachable("Error: No such image: x")
    assert not remedy("mkdir /x: permission denied")


@pytest.mark.parametrize(
    ("script", "told", "advice"),
    [
        ("echo Docker version 1.11.0, build 4dc5990", "docker 1.11.0 is too old", "Install"),
        (
            'test "$1" = --version && echo Docker version 25.0.1, build x && exit; '
            f"echo '28.2.2 <nil>'; echo '{DENIED}' >&2; exit 1",
            "permission denied",
            "group docker",
        ),
        ("exit 3", "ended with status 3", "apt install podman"),
        (None, "not installed", "apt install podman"),
    ],
)
def test_why_no_engine_answers_is_said(
    script: str | None, told: str, advice: str, tmp_path: Path
) -> None:
    program = tmp_path / "docker"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(RunnerError) as caught:
        find_engine(str(program))
    assert told in caught.value.details
    assert advice in caught.value.resolution
