"""What containers of a build are made with, as words."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder_subjects import Subject
from lapstrake.artifact.base import Platform, RunnerSpec, SshAccess
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.docker import DockerBuilder
from lapstrake.artifact.builders.docker_container import (
    ContainerPlan,
    User,
    client_environment,
    environment_options,
    plan_container,
)
from lapstrake.artifact.builders.volume import volumes_of
from lapstrake.errors import RunnerError
from lapstrake.host.engine import Engine
from lapstrake.host.engine_version import EngineKind
from lapstrake.names import GuestPath

CALLER = User(uid=1000, gid=100)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(
        name="docker", builder=DockerBuilder(), folder=tmp_path / "a, b", spec=RunnerSpec(tag="x")
    )


def make_job(subject: Subject, platform: Platform | None = None, **spec: Any) -> Job:
    subject.folder.mkdir(exist_ok=True)
    package = subject.package(platform or Platform(build="true"))
    return subject.job(replace(package, runner=replace(package.runner, **spec)))


def make_plan(
    job: Job,
    *,
    kind: EngineKind = EngineKind.DOCKER,
    user: User = CALLER,
    config: dict[str, Any] | None = None,
    **variables: str,
) -> ContainerPlan:
    return plan_container(
        Engine(program=Path("/bin/docker"), kind=kind), job, image="x", facts={"Config": config},
        volumes=volumes_of(job, "id"), variables=variables, user=user,
    )  # fmt: skip


def test_what_a_plain_build_sees(subject: Subject) -> None:
    job = make_job(subject)
    job = replace(
        job,
        platform=replace(job.package, name="br", folder=subject.folder / "br"),
        inputs={"gcc": subject.folder / "gcc"},
    )
    options = make_plan(job).options
    folder = subject.folder
    assert [option for option in options if option.startswith("--mount")] == [
        "--mount=type=volume,source=tiny-id,target=/nerves/build",
        f'--mount=type=bind,"source={folder}/package",target=/nerves/env/tiny,readonly',
        f'--mount=type=bind,"source={folder}/br",target=/nerves/env/platform,readonly',
        f'--mount=type=bind,"source={folder}/gcc",target=/nerves/host/artifacts/gcc,readonly',
        f'--mount=type=bind,"source={folder}/downloads/sources",target=/nerves/dl',
    ]
    assert {"--workdir=/nerves/build", "--user=1000:100", "--cap-drop=ALL"} < set(options)
    assert not [option for option in options if option.startswith(("--cap-add", "--memory"))]


def test_settings_become_options(subject: Subject) -> None:
    job = make_job(
        subject, cpus=1.5, memory=1 << 30, network=False,
        volumes={"ccache": GuestPath("/nerves/home/.ccache")},
    )  # fmt: skip
    assert {
        "--cpus=1.5", "--memory=1073741824", "--memory-swap=1073741824", "--network=none",
        "--mount=type=volume,source=tiny-id-ccache,target=/nerves/home/.ccache",
    } < set(make_plan(job).options)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "uid", "config", "user", "keeps"),
    [
        (EngineKind.DOCKER, 0, {"User": "nerves"}, "0:0", False),
        (EngineKind.DOCKER, 1000, {"User": "nerves", "Entrypoint": ["/e"]}, "1000:100", False),
        (EngineKind.DOCKER, 1000, {"User": "", "Entrypoint": ["/e"]}, "0:0", False),
        (EngineKind.DOCKER, 1000, {"User": "root:root", "Entrypoint": ["/e"]}, "0:0", False),
        (EngineKind.PODMAN, 1000, None, "1000:100", True),
        (EngineKind.PODMAN, 0, None, "0:0", False),
    ],
)
def test_who_builds(
    kind: EngineKind, uid: int, config: dict[str, Any] | None, user: str, keeps: bool,
    subject: Subject,
) -> None:  # fmt: skip
    plan = make_plan(make_job(subject), kind=kind, user=User(uid=uid, gid=100), config=config)
    assert f"--user={user}" in plan.options
    assert ("--userns=keep-id" in plan.options) == keeps
    assert plan.environment["UID"] == str(uid)
    assert plan.environment["GID"] == "100"


def test_no_value_is_in_the_words(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:hush@proxy:1")
    monkeypatch.setenv("UNRELATED", "hush")
    plan = make_plan(make_job(subject), TOKEN="hush\nhush", PATH="/opt/bin", TERM="vt100")
    words = plan.words(("make", "all"), terminal=False)
    assert "hush" not in " ".join(words)
    assert {"--env=https_proxy", "--env=TOKEN", "--env=PATH=/opt/bin"} < set(words)
    given = client_environment(plan.environment)
    assert (given["TOKEN"], given["https_proxy"]) == ("hush\nhush", "http://me:hush@proxy:1")
    assert "UNRELATED" not in given
    assert not {"PATH", "HOME", "SSH_AUTH_SOCK", "DOCKER_HOST"} & set(given)


def test_the_environment_reaches_the_container_as_docker_takes_it() -> None:
    """``--env NAME`` takes the client's own value, as env(1) would show it."""
    variables = {"A": "1", "HOME": "/nerves/home", "DOCKER_HOST": "x", "B": "two words"}
    named = [option.removeprefix("--env=") for option in environment_options(variables)]
    client = {"HOME": "/root", "DOCKER_HOST": "unix:///sock", **client_environment(variables)}
    seen = {}
    for option in named:
        name, written, value = option.partition("=")
        seen[name] = value if written else client[name]
    assert seen == variables
    assert (client["HOME"], client["DOCKER_HOST"]) == ("/root", "unix:///sock")


def test_a_terminal_is_asked_for_where_one_is_needed(subject: Subject) -> None:
    plan = make_plan(make_job(subject))
    assert {"--interactive", "--tty"} < set(plan.words(("sh",), terminal=True))
    words = plan.words(("sh", "-c", 'echo out; echo "$1" >&2; exit 3', "sh", "a b"), terminal=False)
    assert not {"--interactive", "--tty"} & set(words)
    command = words[words.index("--") + 2 :]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\na b\n", "")


def test_the_agent_is_shown_only_where_it_is_asked_for(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    job = make_job(subject, ssh=SshAccess.AGENT)
    with pytest.raises(RunnerError, match="asks for ssh-agent") as caught:
        make_plan(job)
    assert str(path) in caught.value.details
    path.write_text("no socket")
    with pytest.raises(RunnerError, match="asks for ssh-agent"):
        make_plan(job)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        plan = make_plan(job)
        assert f"--mount=type=bind,source={path},target=/nerves/ssh-agent" in plan.options
        assert plan.environment["SSH_AUTH_SOCK"] == "/nerves/ssh-agent"
        without = make_plan(make_job(subject))
        assert not [option for option in without.options if "ssh-agent" in option]
        assert "SSH_AUTH_SOCK" not in without.environment
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(RunnerError, match="asks for ssh-agent"):
        make_plan(job)


def test_what_buildroot_writes_into_is_a_copy(subject: Subject) -> None:
    job = make_job(subject, Platform(name="buildroot", defconfig="d"))
    machinery = subject.folder / "br"
    machinery.mkdir()
    (machinery / "create-build.sh").write_text("first")
    job = replace(job, platform=replace(job.package, name="br", folder=machinery))
    volumes = volumes_of(job, "id")
    targets = [str(volume.target) for volume in volumes]
    assert targets == ["/nerves/build", "/nerves/env/platform", "/nerves/env/tiny"]
    assert not [option for option in make_plan(job).options if "bind" in option and "env" in option]

    (machinery / "buildroot-2024.02").mkdir()
    (machinery / ".git").mkdir()
    assert volumes_of(job, "id") == volumes
    (machinery / "create-build.sh").write_text("second")
    assert [a.name == b.name for a, b in zip(volumes, volumes_of(job, "id"), strict=True)] == [
        True, False, True,
    ]  # fmt: skip
    (job.package.folder / "Config.in").write_text("")
    assert [str(volume.target) for volume in volumes_of(job, "id")] == targets[:2]
