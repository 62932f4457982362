"""What only containers have: images of a package's own, users, limits, and a daemon that dies."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder_subjects import Subject, contents
from builder_victim import victim_command, victim_environment
from engines import (
    import_image,
    own_docker,
    podman_of_our_own,
    remove_images,
    remove_volumes,
)
from lapstrake.artifact.base import Platform, RunnerSpec, SshAccess
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.docker import DockerBuilder
from lapstrake.artifact.builders.image import have_image, wanted_image
from lapstrake.artifact.builders.volume import give_id
from lapstrake.artifact.cleaning.prune import prune
from lapstrake.artifact.cleaning.volumes import volumes_of_builds
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.artifact.keeping.entries import Entry, Kind
from lapstrake.errors import BuildError, RunnerError
from lapstrake.host.engine import find_engine
from lapstrake.names import GuestPath
from runner_subjects import make_root, processes_with

IMAGE = "localhost/lapstrake-test/sh:1"


@pytest.fixture(scope="module")
def image_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images") / "root"
    lack = make_root(folder)
    if lack:
        pytest.skip(lack)
    return folder


@pytest.fixture(params=["docker", "podman"])
def subject(
    request: pytest.FixtureRequest, image_root: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Subject]:  # fmt: skip
    """Both engines."""
    program = str(request.param)
    if program == "docker":
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_daemon"))
    else:
        for variable, value in request.getfixturevalue("podman_settings").items():
            monkeypatch.setenv(variable, value)
    yield from _subject(program, image_root, tmp_path)
    remove_images({}, "localhost/lapstrake/tiny", program=program)


@pytest.fixture
def docker(
    docker_daemon: str, image_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subject]:
    monkeypatch.setenv("DOCKER_HOST", docker_daemon)
    yield from _subject("docker", image_root, tmp_path)


def _subject(program: str, image_root: Path, folder: Path) -> Iterator[Subject]:
    import_image(program, image_root, IMAGE)
    yield Subject(
        name=program, builder=DockerBuilder(program), folder=folder, spec=RunnerSpec(tag=IMAGE)
    )
    remove_volumes(program, folder)


def test_an_image_is_built_from_the_dockerfile_and_anew_when_that_changes(
    subject: Subject,
) -> None:
    package = subject.script("cat /etc/tool > tree/tool")
    images = package.folder / "images"
    images.mkdir()
    file = images / "Build.docker"
    file.write_text(f"FROM {IMAGE}\nCOPY tool /etc/tool\nRUN echo built >> /etc/tool\n")
    job = subject.job(replace(package, runner=RunnerSpec(dockerfile="images/Build.docker")))
    engine = find_engine(subject.name)
    made = []
    for text in ("first", "second", "second"):
        (images / "tool").write_text(f"{text}\n")
        made.append(have_image(engine, job, wanted_image(job, ""), offline=True)["Id"])
    assert made[0] != made[1] == made[2]
    job.log.with_name("image.log").unlink()
    assert contents(subject.builder.build(job)) == {"tool": "second\nbuilt\n"}
    assert not job.log.with_name("image.log").exists(), "built again, though nothing changed"

    file.write_text(f"FROM {IMAGE}\nRUN echo oh no; exit 7\n")
    with pytest.raises(BuildError, match="building an image from") as caught:
        subject.builder.build(job)
    assert "oh no" in caught.value.details
    assert str(job.log.with_name("image.log")) in caught.value.resolution


def test_an_image_that_is_nowhere_is_told(docker: Subject) -> None:
    tag = "127.0.0.1:1/nowhere/image:1"
    job = docker.job(docker.package(runner=RunnerSpec(tag=tag)))
    with pytest.raises(RunnerError, match=f"{tag} is not here, and could not be pulled") as caught:
        docker.builder.build(job)
    assert "refused" in caught.value.details
    with pytest.raises(RunnerError, match="and we are offline"):
        DockerBuilder("docker", offline=True).build(job)
    assert not (job.folder / ".docker_id").exists()


@pytest.mark.parametrize("program", ["docker", "podman"])
def test_who_builds_as_a_user_gets_that_users_files(
    program: str, request: pytest.FixtureRequest, image_root: Path, user_dir: tuple[str, Path]
) -> None:
    name, folder = user_dir
    facts = pwd.getpwnam(name)
    with _engine_of_user(program, request, folder) as (environment, group):
        subject = Subject(
            name=program, builder=DockerBuilder(program), folder=folder, environment=environment,
            spec=RunnerSpec(
                tag=IMAGE, volumes={"ccache": GuestPath("/nerves/home/.ccache")},
                network=False,  # podman's for users needs /dev/net/tun, which may be root's alone
            ),
        )  # fmt: skip
        job = _users_job(subject)
        words = [str(word) for word in victim_command(subject, job)]
        for path in (folder, *folder.rglob("*")):
            os.chown(path, facts.pw_uid, facts.pw_gid)
        as_user: dict[str, Any] = {
            "user": facts.pw_uid, "group": facts.pw_gid, "extra_groups": [group],
            "env": {**victim_environment(subject), "HOME": str(folder)}, "cwd": folder,
        }  # fmt: skip
        import_image(program, image_root, IMAGE, **as_user)
        done = subprocess.run(words, **as_user, capture_output=True, text=True, check=False)
        remove_volumes(program, folder, **as_user)
    assert done.returncode == 0, done.stderr
    archive = job.downloads / job.identity.file_name
    seen = contents(archive)
    assert seen["ids"] == f"{facts.pw_uid}\n{facts.pw_gid}\n" * 2 + "/nerves/home\n"
    assert seen["machinery"] == "cogs\nmore\n"
    for file in (archive, job.downloads / "sources" / "source", job.log):
        assert file.stat().st_uid == facts.pw_uid


def _users_job(subject: Subject) -> Job:
    """A build that writes wherever it may, and tries to elsewhere."""
    script = """
        (id -u; id -g; echo "$UID"; echo "$GID"; echo "$HOME") > tree/ids
        if test -d ~/.ccache; then echo kept > ~/.ccache/file; fi
        echo x > "$LAPSTRAKE_DL_DIR/source"; echo x > "$HOME/more"
        echo more >> /nerves/env/platform/machinery; cp /nerves/env/platform/machinery tree
        if (: > /nerves/env/tiny/evil); then exit 1; fi
    """
    platform = Platform(
        name="buildroot", defconfig="-", prepare="true", build=f"mkdir -p tree; {script}",
        archive="true", output="tree",
    )  # fmt: skip
    package = subject.package(platform)
    (package.folder / "Config.in").write_text("")
    machinery = subject.folder / "machinery"
    machinery.mkdir()
    (machinery / "machinery").write_text("cogs\n")
    return subject.job(package, platform=replace(package, name="br", folder=machinery))


def test_a_changed_platform_is_copied_anew(docker: Subject) -> None:
    volumes = {"keep": GuestPath("/nerves/keep")}
    subject = replace(docker, spec=RunnerSpec(tag=IMAGE, volumes=volumes))
    job = _users_job(subject)
    assert job.platform is not None
    file = job.platform.folder / "machinery"
    assert contents(subject.builder.build(job))["machinery"] == "cogs\nmore\n"
    assert contents(subject.builder.build(job))["machinery"] == "cogs\nmore\nmore\n"
    file.write_text("wheels\n")
    renamed = replace(job.package, runner=RunnerSpec(tag=IMAGE))
    seen = contents(subject.builder.build(replace(job, package=renamed)))
    assert seen["machinery"] == "wheels\nmore\n"
    assert file.read_text() == "wheels\n"
    left = find_engine("docker").labelled("volume", f"lapstrake.artifact={_volume(job)}")
    begins = [name.removeprefix(_volume(job)).rpartition("-")[0] for name in sorted(left)]
    assert sorted(begins) == ["", "", "-platform"], left


@contextlib.contextmanager
def _engine_of_user(
    program: str, request: pytest.FixtureRequest, folder: Path
) -> Iterator[tuple[dict[str, str], int]]:
    """Variables that lead a user to an engine, and the group that may use it."""
    if program == "docker":
        address = request.getfixturevalue("docker_daemon")
        socket = Path(address.removeprefix("unix://"))
        yield {"DOCKER_HOST": address}, socket.stat().st_gid
        return
    with podman_of_our_own(folder, folder.stat().st_uid) as variables:
        yield variables, folder.stat().st_gid


def test_too_much_memory_ends_a_build(docker: Subject) -> None:
    job = docker.job(docker.script("echo begun; tail /dev/zero"))
    limited = replace(job.package, runner=replace(docker.spec, memory=32 << 20))
    with pytest.raises(BuildError) as caught:
        docker.builder.build(replace(job, package=limited))
    assert "memory may have run out" in caught.value.resolution

    engine = find_engine("docker")
    (volume,) = engine.labelled("volume", "lapstrake.artifact=" + _volume(job))
    docker.builder.clean(job)
    assert engine.inspect("volume", volume) is None
    assert not (job.folder / ".docker_id").exists()


def _volume(job: Job) -> str:
    return "tiny-" + (job.folder / ".docker_id").read_text()


def test_one_build_at_a_time_with_the_agent_it_asks_for(
    docker: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    spec = RunnerSpec(tag=IMAGE, ssh=SshAccess.AGENT)
    script = docker.script('test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" > tree/agent')
    job = docker.job(replace(script, runner=spec))
    name = f"lapstrake-tiny-{give_id(job.folder)}"
    engine = find_engine("docker")
    label = "--label=lapstrake.owner=another machine's"
    engine.call("create", f"--name={name}", label, "--network=none", IMAGE, "true", doing="it")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        with pytest.raises(RunnerError, match="tiny is being built by another process") as caught:
            docker.builder.build(job)
        assert f"docker rm --force {name}" in caught.value.resolution
        engine.remove([name])
        assert contents(docker.builder.build(job)) == {"agent": "/nerves/ssh-agent\n"}


def test_an_image_without_a_shell_is_told(docker: Subject) -> None:
    tag = "localhost/lapstrake-test/empty:1"
    empty = docker.folder / "empty"
    empty.mkdir()
    (empty / "file").write_text("")
    import_image("docker", empty, tag)
    job = docker.job(docker.package(runner=RunnerSpec(tag=tag)))
    with pytest.raises(RunnerError, match="docker could not start a step") as caught:
        docker.builder.build(job)
    assert '"sh"' in caught.value.details
    assert "needs a shell" in caught.value.resolution


def test_volumes_of_builds_that_are_gone(docker: Subject, tmp_path: Path) -> None:
    job = docker.job(docker.script("echo built > tree/file"))
    docker.builder.build(job)
    name = _volume(job)

    def ours() -> list[Entry]:
        return [each for each in volumes_of_builds("docker") if each.name == f"docker:{name}"]

    (entry,) = ours()
    assert (entry.kind, entry.package, entry.path, entry.lost) == (
        Kind.VOLUME, "tiny", job.folder, False,
    )  # fmt: skip
    assert time.time() - entry.used < 100
    assert os.geteuid() != 0 or entry.size > 0
    cache = ArtifactCache(tmp_path / "cache")
    assert prune(cache, others=[entry], older_than=1e5) == ()
    engine = find_engine("docker")
    holder = engine.call("create", f"--volume={name}:/v", IMAGE, "true", doing="holding").text
    shutil.rmtree(job.folder)
    (entry,) = ours()
    assert entry.lost
    assert prune(cache, others=[entry], older_than=1e5) == (), "a container has it"
    engine.remove([holder.strip()])
    assert prune(cache, others=[entry], older_than=1e5) == (entry,)
    assert engine.inspect("volume", name) is None
    assert ours() == []


def test_a_package_never_built_is_clean(tmp_path: Path) -> None:
    subject = Subject(
        name="", builder=DockerBuilder("/nowhere/docker"), folder=tmp_path, spec=RunnerSpec()
    )
    job = subject.job(subject.package())
    subject.builder.clean(job)
    assert not job.folder.exists()


def test_a_daemon_that_dies_in_the_middle_is_told(
    image_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"18.{os.getpid() % 1000:03}"
    subject = Subject(
        name="docker", builder=DockerBuilder(), folder=tmp_path, spec=RunnerSpec(tag=IMAGE)
    )
    with own_docker(tmp_path) as (address, daemon):
        monkeypatch.setenv("DOCKER_HOST", address)
        import_image("docker", image_root, IMAGE)
        job = subject.job(subject.script(f"echo begun; sleep {mark}"))

        def end() -> None:
            while not processes_with(mark):
                time.sleep(0.05)
            daemon.send_signal(signal.SIGKILL)

        killer = threading.Thread(target=end)
        killer.start()
        with pytest.raises(RunnerError, match="docker stopped answering while it was built") as e:
            subject.builder.build(job)
        killer.join()
        assert "Start docker's daemon" in e.value.resolution
        assert "begun" in job.log.read_text()
    for number in processes_with(mark):  # without its daemon nobody ends a container
        os.kill(number, signal.SIGKILL)
