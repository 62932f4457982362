"""What tests share: one base OS with one branch for the whole session, however many workers."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from engines import podman_of_our_own, running_docker
from farm_postgres import Postgres, running_postgres
from lapstrake.host.process import find_program
from lapstrake.place.workplace import Workplace
from lapstrake.runner.choose import load
from roots import (
    clone,
    lacks_for_roots,
    make_test_user,
    once,
    open_work_dir,
    pack_base,
    run_cli,
    write_configuration,
)

settings.register_profile("lapstrake", deadline=None)
settings.load_profile("lapstrake")


_RUN = "LAPSTRAKE_TEST_RUN"
_WORKER = "PYTEST_XDIST_WORKER"


def pytest_configure() -> None:
    """Give the session a name that its workers inherit, and what it starts all signals."""
    os.environ.setdefault(_RUN, str(os.getpid()))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started by a shell's `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)


def pytest_unconfigure() -> None:
    """Remove what the unprivileged user has, once all workers are done."""
    if _WORKER not in os.environ:
        shutil.rmtree(_users_folder(), ignore_errors=True)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers see, also between sessions if ``LAPSTRAKE_TEST_CACHE`` is set."""
    cache = os.environ.get("LAPSTRAKE_TEST_CACHE")
    if cache:
        return Path(cache).absolute()
    base = tmp_path_factory.getbasetemp()
    return (base.parent if _WORKER in os.environ else base) / "shared"


@pytest.fixture(scope="session")
def base_work_dir(shared_folder: Path) -> Path:
    """A work folder with a base OS and a fresh branch ``stable``; look, but change nothing."""
    lack = lacks_for_roots()
    if lack:
        pytest.skip(lack)
    work_dir = shared_folder / "root"
    with once(shared_folder, "root.made") as wanted:
        if wanted:
            _make_roots(work_dir, user=None)
            planned = run_cli("image", "plan", "-b", "stable", work_dir=work_dir)
            assert planned.ok, planned.stderr
    return work_dir


@pytest.fixture(scope="session")
def rootless_work_dir(base_work_dir: Path) -> tuple[str, Path]:
    """The same for an unprivileged user, and the user's name."""
    lack = lacks_for_roots(user="")
    if lack:
        pytest.skip(lack)
    user = make_test_user()
    shared = _users_folder()
    with once(shared, "user.made") as wanted:
        work_dir = shared / "user"
        if wanted:
            shared.chmod(0o755)
            work_dir.mkdir(exist_ok=True)
            shutil.chown(work_dir, user, user)
            pack_base(base_work_dir, shared / "base.tar")
            _make_roots(work_dir, str(shared / "base.tar"), user=user)
    return user, work_dir


def _users_folder() -> Path:
    """Where another user may go, which pytest's own folders are not."""
    return Path(tempfile.gettempdir(), f"lapstrake-test-{os.environ[_RUN]}")


@pytest.fixture
def user_dir() -> Iterator[tuple[str, Path]]:
    """An unprivileged user with a range of ids, and an empty folder of theirs."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    lacks = [lack.what for lack in load("userns").probe() if lack.blocks]
    if lacks or find_program("newuidmap") is None:
        pytest.skip("; ".join(lacks) or "needs newuidmap (uidmap)")
    user = make_test_user()
    _users_folder().mkdir(mode=0o755, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=_users_folder()))
    shutil.chown(folder, user, user)
    yield user, folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """A folder in memory, for stores of images: a thousand flushes of a disk take a minute."""
    folder = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=folder if folder.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
def memory_path(memory: Path) -> Path:
    """A test's own folder there."""
    return Path(tempfile.mkdtemp(dir=memory))


@pytest.fixture(scope="session")
def docker_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a docker daemon: the host's, else one of our own."""
    with running_docker(tmp_path_factory.mktemp("docker")) as address:
        yield address


@pytest.fixture(scope="session")
def podman_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables that give podman a store of its own."""
    with podman_of_our_own(tmp_path_factory.mktemp("podman")) as variables:
        yield variables


@pytest.fixture
def work_dir(base_work_dir: Path, tmp_path: Path) -> Path:
    """A work folder of the test's own, with the same base OS and branch."""
    return clone(base_work_dir, tmp_path / "work")


@pytest.fixture
def warm_place(work_dir: Path) -> Workplace:
    """A place of the test's own, with a base OS and a fresh branch ``stable``."""
    return open_work_dir(work_dir)


def _make_roots(work_dir: Path, *source: str, user: str | None) -> None:
    work_dir.mkdir(parents=True, exist_ok=True)
    write_configuration(work_dir)
    for words in (("load-baseos", *source), ("branch", "refresh", "stable")):
        done = run_cli(*words, work_dir=work_dir, user=user)
        assert done.ok, done.stderr


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the session; whoever stops it starts it again."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def farm_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind that a farm may have."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'farm.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
