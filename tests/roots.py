"""A base OS and a branch, made once for all tests, and the program as users run it."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lapstrake.baseos.current import current_base
from lapstrake.config.branches import built_in_list
from lapstrake.config.load import load_config
from lapstrake.config.model import host_arch
from lapstrake.formats.sources_list import index_urls
from lapstrake.host import files
from lapstrake.host.process import find_program
from lapstrake.place import freshness
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Progress, Silent
from lapstrake.runner.choose import load

SOURCE = Path(__file__).resolve().parent.parent / "src"
TEST_USER = "lapstrake-test"
_TUN = Path("/dev/net/tun")
_FIRST_SUBID = 2_000_000_000
_SECONDS = 900
_CONFIGURATION = '[base]\nvariant = "apt"\n\n[refresh]\nmode = "never"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ran to its end."""

    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.status == 0


class Recorder(Silent):
    """A `Progress` that keeps what it hears."""

    def __init__(self) -> None:
        self.headlines: list[str] = []
        self.warnings: list[str] = []

    def headline(self, text: str) -> None:
        self.headlines.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def lacks_for_roots(*, user: str | None = None) -> str:
    """Why no root can be made here (for root, or for a user); empty when one can be."""
    if os.geteuid() != 0:
        return "needs root"
    if find_program("mmdebstrap") is None:
        return "needs mmdebstrap"
    entries = built_in_list().entries
    if not entries:
        return "the host's apt has no sources of its vendor"
    seen = freshness.look(index_urls(entries, host_arch().value)[:1], digests={}, headers={})
    if seen.failed:
        return "the vendor's archive cannot be reached"
    if user is not None and find_program("newuidmap") is None:
        return "needs newuidmap (uidmap)"
    lacks = [lack.what for lack in load("userns").probe() if lack.blocks]
    return "; ".join(lacks)


def cli_command(*words: str, user: str | None = None) -> list[str]:
    """The program's command line; an interpreter that the user may run."""
    return [_interpreter(user), "-m", "lapstrake", *words]


def cli_environment(work_dir: Path, *, user: str | None = None, **variables: str) -> dict[str, str]:
    """What the program sees: its own work folder and configuration, nobody's home."""
    conf = work_dir / "conf"
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(work_dir),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(SOURCE), *(p for p in sys.path if "packages" in p)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAPSTRAKE_WORK_DIR": str(work_dir),
        **({"LAPSTRAKE_CONFIG": str(conf)} if conf.is_dir() else {}),
        **variables,
    }


def run_cli(
    *words: str,
    work_dir: Path,
    user: str | None = None,
    stdin: str = "",
    timeout: float = _SECONDS,
    cwd: Path | None = None,
    **variables: str,
) -> Completed:
    """Run ``lapstrake`` to its end.

    Args:
        words: the command line; everything after the program's name.
        work_dir: where it keeps everything; its folder ``conf``, if there, is the configuration.
        user: run as this user instead of as ourselves.
        stdin: what it reads.
        timeout: seconds.
        cwd: where it is run; `work_dir` if not given.
        variables: of its environment.
    """
    account = pwd.getpwnam(user) if user else None
    done = subprocess.run(
        cli_command(*words, user=user),
        env=cli_environment(work_dir, user=user, **variables),
        cwd=cwd or work_dir,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
    return Completed(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def write_configuration(work_dir: Path, text: str = _CONFIGURATION) -> Path:
    """A configuration in a work folder: the branch ``stable`` of the host vendor's suites."""
    folder = work_dir / "conf"
    (folder / "source_lists").mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)
    (folder / "source_lists" / "stable.sources").write_text(built_in_list().text)
    return folder


def open_work_dir(
    work_dir: Path, *, progress: Progress | None = None, runner: str = "userns"
) -> Workplace:
    """A `Workplace` in this process; its configuration is the folder ``conf`` if there is one."""
    conf = work_dir / "conf"
    config = load_config(conf if conf.is_dir() else None, overrides={"work_dir": str(work_dir)})
    return Workplace(config=config, runner=load(runner), progress=progress or Silent())


@contextmanager
def once(folder: Path, mark: str) -> Iterator[bool]:
    """Let one process at a time into a folder; True until the mark is there, which it then is."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{mark}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / mark
        yield not done.exists()
        done.touch()


def clone(work_dir: Path, target: Path) -> Path:
    """A work folder of one's own with the same layers; only their files are shared, by links."""
    store = Path(".builder", "store", "layers")

    def not_trees(folder: str, names: list[str]) -> list[str]:
        return ["tree"] if "tree" in names and Path(folder).parent == work_dir / store else []

    shutil.copytree(work_dir, target, symlinks=True, ignore=not_trees)
    for layer in (work_dir / store).iterdir():
        copy = target / store / layer.name / "tree"
        linked = ["cp", "-al", str(layer / "tree"), str(copy)]
        if subprocess.run(linked, stderr=subprocess.DEVNULL).returncode != 0:  # another disk
            files.remove_tree(copy)
            subprocess.run(["cp", "-a", str(layer / "tree"), str(copy)], check=True)
    return target


def pack_base(work_dir: Path, archive: Path) -> Path:
    """The base OS of a work folder as a tarball, which others load faster than they bootstrap."""
    tree = current_base(open_work_dir(work_dir)).tree
    subprocess.run(["tar", "--xattrs", "-C", str(tree), "-cf", str(archive), "."], check=True)
    return archive


def make_test_user() -> str:
    """The unprivileged user of the tests, with a range of ids; made when missing."""
    if _TUN.exists():
        _TUN.chmod(0o666)  # as udev leaves it, and as users' builds with a network need it
    try:
        pwd.getpwnam(TEST_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/bin/sh", TEST_USER], check=True
        )
    for file in ("/etc/subuid", "/etc/subgid"):
        lines = Path(file).read_text() if Path(file).exists() else ""
        if f"{TEST_USER}:" not in lines:
            with Path(file).open("a") as ranges:
                ranges.write(f"{TEST_USER}:{_FIRST_SUBID}:65536\n")
    return TEST_USER


def _interpreter(user: str | None) -> str:
    """Ours, unless it lies where the user may not go; then the system's of the same version."""
    if user is None:
        return sys.executable
    real = Path(sys.executable).resolve()
    if all(folder.stat().st_mode & 0o005 == 0o005 for folder in real.parents):
        return sys.executable
    name = f"python3.{sys.version_info.minor}"
    return f"/usr/bin/{name}"
