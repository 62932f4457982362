"""Control groups: limits for a build, and what it really used (cgroups(7), v2 and v1).

Where no group may be made (most rootless sessions), `create` returns ``None`` and the supervisor
falls back to sampling ``/proc``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lapstrake.host.usage import Ending, Limits

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_PREFIX = "lapstrake."
_INNER = "build"
_MAIN = "main"
_WANTED = ("memory", "pids")
_BARE = {"name=systemd": "systemd", "": "unified"}  # without controllers → where they are mounted
_CPU_PERIOD = 100_000  # microseconds
# Ours, and what nspawn makes inside for itself and for its command ("supervisor", "payload").
_MOST_GROUPS = "3"
_TRIES = 300  # 3 s: a busy machine takes its time to bury processes
_MANAGER = Path("/run/systemd/system")  # there while systemd is PID 1, see sd_booted(3)
_DELEGATED = ("trusted.delegate", "user.delegate")
_counter = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlGroup:
    """A group of processes; one folder with version 2, one for each controller with version 1."""

    folders: dict[str, Path]
    unified: bool

    @classmethod
    def of_process(cls, number: int, name: str) -> ControlGroup | None:
        """The group that a process is in, to look at; ``None`` unless `name` is in its path."""
        paths = {
            each: path
            for each, path in _paths(Path(f"/proc/{number}/cgroup")).items()
            if name in path
        }
        if not paths:
            return None
        if set(paths) == {""}:
            folder = _MOUNT / paths[""].lstrip("/")
            return cls(folders=dict.fromkeys((*_WANTED, "cpu"), folder), unified=True)
        folders = {each: _MOUNT / each / path.lstrip("/") for each, path in paths.items() if each}
        return cls(folders=folders, unified=False)

    @property
    def members(self) -> tuple[Path, ...]:
        """The files that a process writes ``0`` to, to join."""
        inner = _INNER if self.unified else ""
        return tuple(folder / inner / "cgroup.procs" for folder in self._unique())

    def observe(self) -> None:
        """Nothing: the kernel keeps the counts until the group is removed."""

    def memory(self) -> int:
        """Bytes of memory in use now."""
        return self._number("memory", "memory.current", "memory.usage_in_bytes")

    def peak_memory(self) -> int:
        """The most bytes ever in use at a time."""
        return self._number("memory", "memory.peak", "memory.max_usage_in_bytes")

    def processes(self) -> int:
        """How many processes and threads there are now."""
        return self._number("pids", "pids.current", "pids.current")

    def pids(self) -> tuple[int, ...]:
        """The processes that are in it now, and in groups below it.

        Raises:
            FileNotFoundError: a group below it was removed meanwhile.
        """
        files = [file for folder in self._unique() for file in folder.rglob("cgroup.procs")]
        return tuple(sorted({int(number) for file in files for number in _lines(file)}))

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        if not self.unified:
            return self._number("cpuacct", "", "cpuacct.usage") / 1e9
        for line in self._read("cpu", "cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        return 0.0

    def exceeded(self) -> Ending | None:
        """The limit that the kernel held members to, by a kill or by refusing to fork."""
        memory = "memory.events" if self.unified else "memory.oom_control"
        if self._count("memory", memory, "oom_kill"):
            return Ending.OUT_OF_MEMORY
        if self._count("pids", "pids.events", "max"):
            return Ending.OUT_OF_PROCESSES
        return None

    def kill(self) -> None:
        """Kill every member, again and again until none is left (they may fork meanwhile)."""
        for _ in range(200):
            with contextlib.suppress(FileNotFoundError):  # members may remove groups of theirs
                processes = self.pids()
                if not processes:
                    return
                for process in processes:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
            time.sleep(0.01)

    def remove(self) -> None:
        """Remove the group; its members are dead."""
        for folder in self._unique():
            for _ in range(_TRIES):  # the kernel lets go of the last member a little later
                if _remove(folder):
                    break
                time.sleep(0.01)

    def _unique(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(self.folders.values()))

    def _read(self, controller: str, name: str) -> str:
        try:
            return (self.folders[controller] / name).read_text()
        except (OSError, KeyError):
            return ""

    def _count(self, controller: str, name: str, event: str) -> int:
        """One count of a file of events."""
        for line in self._read(controller, name).splitlines():
            word, _, number = line.partition(" ")
            if word == event:
                return int(number)
        return 0

    def _number(self, controller: str, unified: str, legacy: str) -> int:
        text = self._read(controller, unified if self.unified else legacy).strip()
        return int(text) if text.isdigit() else 0


def create(limits: Limits) -> ControlGroup | None:
    """Make a group below our own with limits set; ``None`` where the host does not let us."""
    name = f"{_PREFIX}{os.getpid()}.{next(_counter)}"
    group = None
    try:
        group = _create_unified(name) or _create_legacy(name)
        if group is not None:
            _set_up(group, limits)
    except OSError:
        if group is not None:
            group.remove()
        return None
    return group


def step_aside() -> None:
    """Go into a group within that which systemd gave to our unit (``Delegate=``), with version 2.

    There only a group without processes of its own passes controllers on, so those of builds, which
    are made beside us then, have them from the unit, and its limits hold for all of them together.
    """
    own = _paths(_OWN).get("", "")
    given = _MOUNT / own.lstrip("/")
    if not (own and _is_unified() and any(_has_mark(given, mark) for mark in _DELEGATED)):
        return
    with contextlib.suppress(OSError):  # builds find other groups then, or none
        (given / _MAIN).mkdir(exist_ok=True)
        (given / _MAIN / "cgroup.procs").write_text("0")


def made_by(makers: Collection[int]) -> tuple[ControlGroup, ...]:
    """The groups that some processes have made with `create`, and not removed, to look at."""
    found: dict[str, dict[str, Path]] = {}
    unified = _is_unified()
    for controller, folder in _all_groups():
        number = folder.name.removeprefix(_PREFIX).partition(".")[0]
        if number.isdigit() and int(number) in makers:
            names = (*_WANTED, "cpu") if unified else (controller,)
            found.setdefault(folder.name, {}).update(dict.fromkeys(names, folder))
    return tuple(ControlGroup(folders=folders, unified=unified) for folders in found.values())


def is_grouped(process: int) -> bool:
    """Whether a process is in a group of `create`."""
    return any(f"/{_PREFIX}" in path for path in _paths(Path(f"/proc/{process}/cgroup")).values())


def sweep() -> int:
    """Remove the groups of killed runs, as far as nothing lives in them; gives how many.

    They are where `create` would make them: below our own group, or below one above it.
    """
    return sum(_remove(folder) for _, folder in _all_groups() if not _is_alive(folder.name))


def _all_groups() -> Iterator[tuple[str, Path]]:
    """The folders of all groups that processes of ours have made, with their controllers."""
    for controller, path in _paths(_OWN).items():
        top = _MOUNT if _is_unified() else _MOUNT / _BARE.get(controller, controller)
        here = top / path.lstrip("/")
        for folder in (here, *here.parents):
            if folder.is_relative_to(_MOUNT):
                for group in tuple(folder.glob(f"{_PREFIX}*")):
                    yield controller, group


def _remove(group: Path) -> bool:
    """Remove a group and those that its members made in it; False while some are not dead yet."""
    try:
        below = sorted(group.rglob("*/"), key=lambda path: -len(path.parts))
        for folder in (*below, group):
            folder.rmdir()
    except FileNotFoundError:  # somebody else was quicker
        return True
    except OSError:
        return False
    return True


def _is_alive(name: str) -> bool:
    """Whether the process that made a group of this name still runs."""
    return Path("/proc", name.removeprefix(_PREFIX).partition(".")[0]).exists()


def _paths(file: Path) -> dict[str, str]:
    """A process' group's path for each controller; the empty name is version 2."""
    rows = (line.split(":", 2) for line in _lines(file))
    return {name: path for _, names, path in rows for name in names.split(",")}


def _create_unified(name: str) -> ControlGroup | None:
    """Below the nearest group that passes the controllers on and that we may write.

    Its processes live in a group inside it, which has no controllers: in nspawn they may write the
    files of the group they see, and must not find their own limits there.
    """
    own = _paths(_OWN).get("", "")
    if not _is_unified() or not own:
        return None
    here = _MOUNT / own.lstrip("/")
    for folder in (here, *here.parents):
        if not folder.is_relative_to(_MOUNT):
            break
        passed_on = _pass_on(folder)
        if passed_on.issuperset(_WANTED) and os.access(folder / "cgroup.procs", os.W_OK):
            (folder / name).mkdir()
            folders = dict.fromkeys((*_WANTED, "cpu"), folder / name)
            return ControlGroup(folders=folders, unified=True)
    return None


def _pass_on(folder: Path) -> set[str]:
    """Have a group pass on the controllers that we want; gives those that it does pass on."""
    control = folder / "cgroup.subtree_control"
    passed_on = set(_read_words(control))
    if _is_ours(folder):
        # One by one: a controller that the group itself has not got fails all of a line.
        for controller in (*_WANTED, "cpu"):
            if controller not in passed_on:
                with contextlib.suppress(OSError):
                    control.write_text(f"+{controller}")
        passed_on = set(_read_words(control))
    return passed_on


def _is_ours(folder: Path) -> bool:
    """Whether a group's settings are ours to change: systemd keeps its own as it wants them.

    It marks what it gave away (``Delegate=``, systemd.resource-control(5)) on the uppermost
    group of that part. Users may write nothing but such parts.
    """
    if os.geteuid() != 0 or not _MANAGER.exists():
        return True
    above = [each for each in (folder, *folder.parents) if each.is_relative_to(_MOUNT)]
    return any(_has_mark(each, mark) for each in above for mark in _DELEGATED)


def _has_mark(folder: Path, mark: str) -> bool:
    try:
        return os.getxattr(folder, mark) == b"1"
    except OSError:
        return False


def _is_unified() -> bool:
    return (_MOUNT / "cgroup.controllers").exists()


def _create_legacy(name: str) -> ControlGroup | None:
    """One folder below our own for each controller of version 1 that there is.

    Also in the hierarchies without controllers, which a root may write in nspawn: it shall see a
    group of its own there and not the host's.
    """
    places = {
        controller: _MOUNT / _BARE.get(controller, controller) / path.lstrip("/")
        for controller, path in _paths(_OWN).items()
        if controller in {*_WANTED, "cpu", "cpuacct", *_BARE}
    }
    folders = {each: here / name for each, here in places.items() if os.access(here, os.W_OK)}
    if not folders.keys() >= set(_WANTED):
        return None
    group = ControlGroup(folders=folders, unified=False)
    try:
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
    except OSError:
        group.remove()
        raise
    return group


def _set_up(group: ControlGroup, limits: Limits) -> None:
    """Make what is inside, and write the limits that there are."""
    folders = group.folders
    if group.unified:
        (folder,) = group._unique()
        (folder / _INNER).mkdir()
        (folder / "cgroup.max.descendants").write_text(_MOST_GROUPS)
    if limits.memory is not None:
        for name in ("memory.max",) if group.unified else ("memory.limit_in_bytes",):
            (folders["memory"] / name).write_text(str(limits.memory))
        # Swap would only make a build that needs too much slow as well.
        swap = (
            ("memory.swap.max", "0")
            if group.unified
            else ("memory.memsw.limit_in_bytes", str(limits.memory))
        )
        with contextlib.suppress(OSError):
            (folders["memory"] / swap[0]).write_text(swap[1])
    if limits.processes is not None:
        (folders["pids"] / "pids.max").write_text(str(limits.processes))
    if limits.cpus is not None and "cpu" in folders:
        quota = int(limits.cpus * _CPU_PERIOD)
        if group.unified:
            # Missing where the group above has not got it; then a build is just not slowed down.
            with contextlib.suppress(OSError):
                (folders["cpu"] / "cpu.max").write_text(f"{quota} {_CPU_PERIOD}")
        else:
            (folders["cpu"] / "cpu.cfs_period_us").write_text(str(_CPU_PERIOD))
            (folders["cpu"] / "cpu.cfs_quota_us").write_text(str(quota))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().split("\n")[:-1]
    except OSError:
        return []


def _read_words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()
