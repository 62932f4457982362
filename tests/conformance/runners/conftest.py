"""One suite for all runners; a runner that cannot be used here is skipped with its reason."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lapstrake.host.process import find_program
from roots import make_test_user
from runner_subjects import MakeLayer, Subject, compile_calls, make_root, make_runner

NAMES = ("userns", "userns-rootless", "nspawn", "docker", "podman", "local")


@pytest.fixture(scope="session")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roots") / "root"
    lack = make_root(folder)
    if lack:
        pytest.skip(lack)
    compile_calls(folder)
    return folder


@pytest.fixture(scope="session")
def docker_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host's daemon when it answers, else one of our own; gives its address."""
    if find_program("docker") is None:
        pytest.skip("docker is not installed (apt install docker.io)")
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0:
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    if os.geteuid() != 0 or find_program("dockerd") is None:
        pytest.skip("docker's daemon does not answer, and starting one needs root and dockerd")
    with _started_daemon(tmp_path_factory.mktemp("docker")) as address:
        yield address


@contextlib.contextmanager
def _started_daemon(folder: Path) -> Iterator[str]:
    address = f"unix://{folder}/sock"
    options = ["--iptables=false", "--ip6tables=false", "--bridge=none", "-H", address]
    places = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", *options, *places], stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(300):
            probe = ["docker", "-H", address, "version"]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                break
            if daemon.poll() is not None:
                break
            time.sleep(0.1)
        if daemon.poll() is not None:
            pytest.skip(f"dockerd does not start: {(folder / 'log').read_text()[-300:]}")
        yield address
    finally:
        daemon.terminate()
        daemon.wait(60)
        for left in (folder / "exec/netns").glob("*"):  # a mount; pytest could not remove it
            subprocess.run(["umount", "--lazy", left], check=False)


@pytest.fixture(scope="session")
def podman_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Podman with a store of its own, and a runtime that knows this host's control groups."""
    if find_program("podman") is None:
        pytest.skip("podman is not installed (apt install podman)")
    folder = tmp_path_factory.mktemp("podman")
    runtime = ""
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():  # crun refuses mixed hierarchies
        if find_program("runc") is None:
            pytest.skip("podman needs runc with control groups of version 1 (apt install runc)")
        runtime = 'runtime="runc"\n'
    containers = folder / "containers.conf"
    containers.write_text(f'[engine]\n{runtime}cgroup_manager="cgroupfs"\n')
    storage = folder / "storage.conf"
    # Its sockets are below here; with a longer path podman waits 20 s for each container's end.
    run = Path(tempfile.mkdtemp(prefix="lp"))
    storage.write_text(
        f'[storage]\ndriver="overlay"\ngraphroot="{folder}/store"\nrunroot="{run}"\n'
    )
    yield {"CONTAINERS_CONF": str(containers), "CONTAINERS_STORAGE_CONF": str(storage)}
    # A mount of the store on itself; pytest could not remove it.
    subprocess.run(["umount", "--lazy", folder / "store/overlay"], check=False, capture_output=True)
    shutil.rmtree(run, ignore_errors=True)


@pytest.fixture(params=NAMES)
def subject(
    request: pytest.FixtureRequest,
    small_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Subject]:
    """Each runner in turn."""
    name = request.param
    if name == "docker":
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_daemon"))
    if name == "podman":
        for variable, value in request.getfixturevalue("podman_settings").items():
            monkeypatch.setenv(variable, value)
    words = ("docker", name) if name in {"docker", "podman"} else (name.partition("-")[0], "")
    runner = make_runner(*words)
    with contextlib.ExitStack() as stack:
        folder, root, uid = tmp_path, small_root, os.geteuid()
        if name == "userns-rootless":
            if uid != 0:
                pytest.skip("we are an unprivileged user: the parameter userns is the same")
            uid = pwd.getpwnam(make_test_user()).pw_uid
            folder = stack.enter_context(_users_folder(uid))
            root = folder / "root"
            shutil.copytree(small_root, root, symlinks=True)
            _chown(root, uid)
        lacks = [lack for lack in runner.probe() if lack.blocks]
        if lacks:
            pytest.skip(f"{name}: {lacks[0].what}")
        yield Subject(name=name, runner=runner, words=words, root=root, folder=folder, uid=uid)


@pytest.fixture
def isolating(subject: Subject) -> Subject:
    """A runner that isolates."""
    if not subject.runner.isolates:
        pytest.skip(f"the runner {subject.name} isolates nothing")
    return subject


@pytest.fixture
def layering(subject: Subject) -> Subject:
    """A runner whose workspaces become layers."""
    if not subject.runner.mounts:
        pytest.skip(f"the runner {subject.name} makes no layers")
    return subject


@pytest.fixture
def make_layer(isolating: Subject) -> MakeLayer:
    """Make a layer tree of files; ``None`` is overlayfs' mark for a name that is gone."""

    def make(content: dict[str, str | None]) -> Path:
        tree = isolating.new_folder("layer with: blanks,")
        tree.chmod(0o755)
        for name, text in content.items():
            file = tree / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is None and file.name == "(opaque)":
                attribute = "user" if isolating.rootless else "trusted"
                os.setxattr(file.parent, f"{attribute}.overlay.opaque", b"y")
            elif text is None:
                os.mknod(file, 0o20000, 0)
            else:
                file.write_text(text)
        return tree

    return make


@contextlib.contextmanager
def _users_folder(uid: int) -> Iterator[Path]:
    """Another user cannot reach pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="lapstrake-test-"))
    _chown(folder, uid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _chown(tree: Path, uid: int) -> None:
    gid = pwd.getpwuid(uid).pw_gid
    for path in (tree, *tree.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test of a rootless runner in a process of that user."""
    subject = pyfuncitem.funcargs.get("subject")
    if not isinstance(subject, Subject) or subject.uid == os.geteuid():
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    _as_user(subject.uid, lambda: pyfuncitem.obj(**arguments))
    return True


def _as_user(uid: int, work: Callable[[], Any]) -> None:
    """Fork, become the user, work; a failure is told here as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        report = b""
        try:
            gid = pwd.getpwuid(uid).pw_gid
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os.environ["HOME"] = "/nonexistent"
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            work()
        except pytest.skip.Exception as skipped:
            report = b"SKIP" + str(skipped).encode()
        except BaseException:  # noqa: BLE001 - the parent raises it
            report = traceback.format_exc().encode() or b"failed"
        with contextlib.suppress(BrokenPipeError):
            for begin in range(0, len(report), 4096):
                os.write(writer, report[begin : begin + 4096])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if text.startswith("SKIP"):
        pytest.skip(text[4:])
    if text or status:
        pytest.fail(text or f"the user's process ended with {status}", pytrace=False)
