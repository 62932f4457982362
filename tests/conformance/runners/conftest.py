"""One suite for all runners; a runner that cannot be used here is skipped with its reason."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
