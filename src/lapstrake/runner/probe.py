"""What this host can do: runners, programs, the kernel, the disk. Really tried where it matters."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lapstrake.config.model import RunnerConfig
from lapstrake.errors import LapstrakeError, RunnerError
from lapstrake.host import cgroup, idmap, sandbox, seccomp, supervise
from lapstrake.host.process import find_program
from lapstrake.host.usage import Limits
from lapstrake.runner.base import Lack
from lapstrake.runner.choose import RUNNERS, load

_LOWERDIR_PLUS = (6, 8)  # the kernel that takes layers one by one
_LITTLE_ROOM = 10 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerReport:
    """A runner, and what it lacks here; `mounts` when it can make layers."""

    name: str
    isolates: bool
    mounts: bool
    lacks: tuple[Lack, ...]

    @property
    def usable(self) -> bool:
        """Whether nothing that it lacks keeps it from running."""
        return not any(lack.blocks for lack in self.lacks)

    @property
    def makes_layers(self) -> bool:
        """Whether builds can stand on it alone: base OS, branches and dependencies are layers."""
        return self.usable and self.mounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReport:
    """A program of the host: what needs it, its Debian package (else a URL), and where it is."""

    name: str
    purpose: str
    package: str
    path: Path | None

    @property
    def remedy(self) -> str:
        """How to get it."""
        return self.package if "://" in self.package else f"apt install {self.package}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """Something of the kernel or the disk: whether it is so, what was seen, and the remedy."""

    name: str
    ok: bool
    seen: str
    remedy: str = ""


PROGRAMS = (
    ("mmdebstrap", "bootstrapping the base OS", "mmdebstrap"),
    ("apt-get", "packages and their dependencies", "apt"),
    ("dpkg-deb", "unpacking packages", "dpkg"),
    ("gpg", "signing a branch's repository", "gpg"),
    ("newuidmap", "roots without being root", "uidmap"),
    ("slirp4netns", "builds that use the network", "slirp4netns"),
    ("systemd-nspawn", "the runner nspawn", "systemd-container"),
    ("docker", "the runner docker, with Docker Engine", "docker.io"),
    ("podman", "the runner docker, with podman", "podman"),
    ("git", "sources in git", "git"),
    ("svn", "sources in Subversion", "subversion"),
    ("hg", "sources in Mercurial", "mercurial"),
    ("brz", "sources in Bazaar", "brz"),
    ("fossil", "sources in Fossil", "fossil"),
    ("skopeo", "the base OS from a registry's image", "skopeo"),
    ("unsquashfs", "the base OS from a squashfs image", "squashfs-tools"),
    ("aarch64-linux-gnu-gcc", "cross-compiling for arm64", "crossbuild-essential-arm64"),
    ("qemu-aarch64-static", "trying programs of arm64", "qemu-user-static"),
    ("mksquashfs", "packing firmware", "squashfs-tools"),
    ("fwup", "packing firmware", "https://github.com/fwup-home/fwup"),
    ("7z", "archives of 7-Zip", "p7zip-full"),
    ("lzip", "archives of lzip", "lzip"),
    ("xz", "archives of xz", "xz-utils"),
    ("zstd", "archives of Zstandard", "zstd"),
    ("pg_dump", "copies of a farm's PostgreSQL", "postgresql-client"),
)
"""Name, what it is for, and the Debian package, or where else it is to be had."""
_FARM_LIBRARIES = (
    "alembic",
    "dbos",
    "fastapi",
    "prometheus_client",
    "psycopg",
    "scipy",
    "sqlalchemy",
)


def probe_runners(settings: RunnerConfig) -> tuple[RunnerReport, ...]:
    """Ask every runner, as it is configured, what it lacks."""
    reports = []
    for name in RUNNERS:
        runner = load(name, settings)
        reports.append(
            RunnerReport(
                name=name, isolates=runner.isolates, mounts=runner.mounts, lacks=runner.probe()
            )
        )
    return tuple(reports)


def probe_programs() -> tuple[ProgramReport, ...]:
    """Look for the programs of the host."""
    return tuple(
        ProgramReport(name=name, purpose=purpose, package=package, path=find_program(name))
        for name, purpose, package in PROGRAMS
    )


def probe_kernel(work_dir: Path) -> tuple[Ability, ...]:
    """Try what roots need of the kernel; the overlay is mounted where the roots will be."""
    return (
        _try_overlay(_existing(work_dir)),
        _many_layers(os.uname().release),
        _try_groups(),
        Ability(
            name="system call filter",
            ok=seccomp.supported(os.uname().machine),
            seen=os.uname().machine,
            remedy="Builds run without one on this machine: use trusted bundles.",
        ),
    )


def probe_disk(work_dir: Path) -> Ability:
    """How much room there is where everything is kept."""
    free = shutil.disk_usage(_existing(work_dir)).free
    return Ability(
        name="free disk",
        ok=free >= _LITTLE_ROOM,
        seen=f"{free / 2**30:.1f} GiB at {work_dir}",
        remedy="Base OS and layers take some 10 GiB: make room, or set work_dir to another disk.",
    )


def probe_farm() -> Ability:
    """Whether `lapstrake serve` and `lapstrake worker` have their libraries; none is loaded."""
    lacking = [name for name in _FARM_LIBRARIES if find_spec(name) is None]
    return Ability(
        name="the farm's libraries",
        ok=not lacking,
        seen=f"not installed: {', '.join(lacking)}" if lacking else "installed",
        remedy="To serve a farm or work for one: pip install 'lapstrake[farm]'",
    )


def _try_overlay(place: Path) -> Ability:
    """Mount an overlay in a user namespace, as the runner userns does."""
    name = "overlayfs in user namespaces"
    try:
        with _scratch(place) as folder:
            parts = [Path(folder, part) for part in ("lower", "upper", "work", "root", "links")]
            for part in parts:
                part.mkdir()
            lower, upper, work, root, links = parts
            overlay = sandbox.Overlay(
                lowers=(lower,), target=root, upper=upper, work=work, links=links, rootless=True
            )
            plan = sandbox.SandboxPlan(
                argv=("true",),
                env={"PATH": os.defpath},
                namespaces=("user", "mnt", "pid"),
                operations=(overlay,),
                ids=idmap.current_map(),
            )
            process = sandbox.spawn(plan)
            outcome = supervise.watch(
                process, limits=Limits(seconds=20), on_output=lambda _data: None
            )
            shutil.rmtree(work, ignore_errors=True)
    except (LapstrakeError, OSError) as refused:
        remedy = refused.resolution if isinstance(refused, LapstrakeError) else ""
        return Ability(name=name, ok=False, seen=str(refused).splitlines()[0], remedy=remedy)
    return Ability(name=name, ok=outcome.ok, seen="mounted one" if outcome.ok else "refused")


def _scratch(place: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the disk of `place`, or on another one that we may write."""
    writable = os.access(place, os.W_OK)
    return tempfile.TemporaryDirectory(dir=place if writable else None, prefix=".lapstrake-doctor-")


def _many_layers(release: str) -> Ability:
    digits = "".join(char if char.isdigit() else " " for char in release).split()
    version = tuple(int(number) for number in digits[:2])
    return Ability(
        name="stacks of any height (lowerdir+)",
        ok=version >= _LOWERDIR_PLUS,
        seen=f"Linux {release}",
        remedy="Before Linux 6.8 a stack has some hundred layers at most; that is enough for most.",
    )


def _try_groups() -> Ability:
    """Make a control group with limits and remove it again."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    version = "version 2" if unified else "version 1"
    group = cgroup.create(Limits(memory=1 << 30, processes=1000))
    if group is not None:
        group.remove()
    return Ability(
        name="control groups with limits",
        ok=group is not None,
        seen=f"{version}, {'limits can be set' if group else 'no limits can be set'}",
        remedy="Limits are watched from outside then. For exact ones: systemd-run --user --scope "
        "-p Delegate=yes lapstrake ...",
    )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    candidates: Iterable[Path] = (folder, *folder.parents)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise RunnerError(f"{folder}: no folder above it exists")
