"""Enter namespaces, build a root of mounts, run one command: the file that goes into a sandbox.

Standard library only, started as ``python -SI entry.py FD``: a process of the whole program would
take ten times as long to start, and nothing of ours should be importable beside hostile builds.
The plan comes as JSON on FD (written by `lapstrake.host.sandbox`, the only caller).

Three processes::

    supervisor   outside the new PID namespace; dies with Lapstrake (lifeline), takes all else along
    init         PID 1 of the namespace: mounts, changes root, reaps what builds leave behind
    command      the build, without privileges beyond those listed in the plan

Exit status: the command's, or 128 + signal. A failure to set up is reported on the status pipe as
one JSON line, so that it is never taken for the command's.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, NoReturn

NAMESPACES = {
    "mnt": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE, MOVE_MOUNT_F_EMPTY_PATH = 0, 1, 6, 4
# Numbers above 424 are the same on every architecture; pivot_root is not, so libc's name is tried.
SYS_MOVE_MOUNT, SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT, SYS_MOUNT_SETATTR = 429, 430, 431, 432, 442
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "loongarch64": 41, "armv7l": 218,
                  "i686": 217, "ppc64le": 203, "s390x": 217, "mips64": 5151}  # fmt: skip
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 24, 38, 22
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_SET_CHILD_SUBREAPER = 47, 4, 36
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
LINUX_CAPABILITY_VERSION_3, LAST_CAPABILITY = 0x20080522, 63
SIOCSIFFLAGS, IFF_UP, SECCOMP_MODE_FILTER = 0x8914, 1, 2
SETUP_FAILED = 125
FIRST_TO_GO = "500"  # of 1000, see proc(5)

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
Plan = dict[str, Any]


class SetupError(Exception):
    """A system call of the set-up was refused."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(f"{step}: {os.strerror(number)}")
        self.step, self.number = step, number


def check(result: int, step: str) -> int:
    """Raise `SetupError` when a C call returned -1."""
    if result == -1:
        raise SetupError(step, ctypes.get_errno())
    return result


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount a file system."""
    result = libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    check(result, f"mounting {kind or source} on {target}")


def set_attributes(target: str, attributes: int) -> None:
    """mount_setattr(2), on the mount and all below it."""
    argument = struct.pack("QQQQ", attributes, 0, 0, 0)
    result = libc.syscall(
        SYS_MOUNT_SETATTR, AT_FDCWD, target.encode(), AT_RECURSIVE, argument, len(argument)
    )
    check(result, f"making {target} read-only")


# --- operations -----------------------------------------------------------------------------------


def overlay(operation: Plan) -> None:
    """Mount all lower layers and the workspace as one file system (never overlay on overlay)."""
    strings = [("source", "lapstrake")]
    flags = []
    if operation.get("upper"):
        strings += [("upperdir", operation["upper"]), ("workdir", operation["work"])]
        flags.append("volatile")  # the workspace is thrown away: fsync would be wasted
    # index and redirect_dir record inode handles and old names; both break layers that move.
    strings += [("index", "off"), ("metacopy", "off"), ("redirect_dir", "off"), ("xino", "off")]
    if operation["rootless"]:
        flags.append("userxattr")  # trusted.* attributes need the initial user namespace
        strings = [(key, value) for key, value in strings if key != "redirect_dir"]
    try:
        overlay_by_descriptor(operation["lowers"], strings, flags, operation["target"])
    except SetupError as refused:
        if refused.step != "lowerdir+":
            raise
        overlay_by_string(operation, strings, flags)


def overlay_by_descriptor(
    lowers: list[str], strings: list[tuple[str, str]], flags: list[str], target: str
) -> None:
    """The mount API of Linux 5.2 with `lowerdir+` (6.8): hundreds of layers, any path length."""
    context = check(libc.syscall(SYS_FSOPEN, b"overlay", 1), "opening overlay")
    configure = libc.syscall
    for lower in reversed(lowers):  # the kernel takes the uppermost first
        name = lower.encode()
        result = configure(SYS_FSCONFIG, context, FSCONFIG_SET_STRING, b"lowerdir+", name, 0)
        if result == -1:
            step = "lowerdir+" if ctypes.get_errno() in (22, 95) else f"adding the layer {lower}"
            raise SetupError(step, ctypes.get_errno())
    for key, value in strings:
        words = (context, FSCONFIG_SET_STRING, key.encode(), value.encode(), 0)
        check(configure(SYS_FSCONFIG, *words), f"overlay option {key}={value}")
    for flag in flags:
        result = configure(SYS_FSCONFIG, context, FSCONFIG_SET_FLAG, flag.encode(), None, 0)
        check(result, f"overlay option {flag}")
    check(configure(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0), "mounting overlay")
    # Whatever device a layer or a build makes opens nothing.
    mounted = check(libc.syscall(SYS_FSMOUNT, context, 1, MOUNT_ATTR_NODEV), "mounting overlay")
    place = (mounted, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH)
    check(libc.syscall(SYS_MOVE_MOUNT, *place), f"mounting overlay on {target}")
    os.close(mounted)
    os.close(context)


def overlay_by_string(operation: Plan, strings: list[tuple[str, str]], flags: list[str]) -> None:
    """mount(2) takes one page of options: short links stand for the layers."""
    links = operation["links"]
    os.makedirs(links, exist_ok=True)
    for number, lower in enumerate(operation["lowers"]):
        with contextlib.suppress(FileExistsError):
            os.symlink(lower, os.path.join(links, str(number)))
    names = ":".join(str(number) for number in reversed(range(len(operation["lowers"]))))
    options = [f"lowerdir={names}", *(f"{key}={value}" for key, value in strings[1:]), *flags]
    before = os.getcwd()
    os.chdir(links)
    try:
        mount("overlay", operation["target"], "overlay", MS_NODEV, ",".join(options))
    finally:
        os.chdir(before)


def bind(operation: Plan) -> None:
    """Show a file or folder of the host; read-only ones lose set-id bits and devices too."""
    mount(operation["source"], operation["target"], "", MS_BIND | MS_REC)
    if not operation["writable"]:
        attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | operation.get("attributes", 0)
        set_attributes(operation["target"], attributes)


def kernel_filesystems(operation: Plan) -> None:
    """/proc, /dev, /sys as a build may see them: nothing of the host's, nothing writable."""
    root = operation["root"]
    proc, dev, sysfs = (os.path.join(root, name) for name in ("proc", "dev", "sys"))
    mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in ("sys", "sysrq-trigger", "irq", "bus", "fs"):
        path = os.path.join(proc, name)
        if os.path.exists(path):
            mount(path, path, "", MS_BIND | MS_REC)
            set_attributes(path, MOUNT_ATTR_RDONLY)
    hidden = ("kcore", "keys", "timer_list", "kmsg", "kallsyms", "config.gz")
    for name in (*hidden, "acpi", "scsi", "asound"):  # the last are drivers' folders
        path = os.path.join(proc, name)
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
        elif os.path.exists(path):
            mount("/dev/null", path, "", MS_BIND)
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755,size=64k")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        path = os.path.join(dev, name)
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o666))
        mount(f"/dev/{name}", path, "", MS_BIND)
    for name in ("pts", "shm"):
        os.mkdir(os.path.join(dev, name))
    options = "newinstance,ptmxmode=0666,mode=620"
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, options)
    mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, operation["shm"])
    for link, target in (
        ("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"),
    ):  # fmt: skip
        os.symlink(target, os.path.join(dev, link))
    with contextlib.suppress(SetupError):  # allowed only with a network namespace of our own
        mount("sysfs", sysfs, "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    options = "mode=755,size=64m"
    mount("tmpfs", os.path.join(root, "run"), "tmpfs", MS_NOSUID | MS_NODEV, options)
    os.mkdir(os.path.join(root, "run/lock"), 0o1777)


def tmpfs(operation: Plan) -> None:
    """A file system in memory; it and what is in it never reach a layer."""
    os.makedirs(operation["target"], exist_ok=True)
    mount("tmpfs", operation["target"], "tmpfs", MS_NOSUID | MS_NODEV, operation["options"])


def secret(operation: Plan) -> None:
    """A file in memory: its content came with the plan, so it is in no argument and no layer."""
    os.makedirs(os.path.dirname(operation["target"]), 0o755, exist_ok=True)
    with open(operation["target"], "wb") as file:
        file.write(bytes.fromhex(operation["content"]))
    os.chmod(operation["target"], 0o400)
    os.chown(operation["target"], operation["user"], operation["user"])


OPERATIONS = {
    "overlay": overlay,
    "bind": bind,
    "kernel": kernel_filesystems,
    "tmpfs": tmpfs,
    "secret": secret,
}


# --- the three processes --------------------------------------------------------------------------


def enter_namespaces(plan: Plan) -> None:
    """Leave the host's namespaces; `host_operations` run before the user namespace."""
    names = list(plan["namespaces"])
    if plan["host_operations"]:
        check(libc.unshare(NAMESPACES["mnt"]), "a mount namespace")
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        for operation in plan["host_operations"]:
            OPERATIONS[operation["op"]](operation)
    if "user" in names:
        names.remove("user")
        enter_user_namespace(plan)
    flags = sum(NAMESPACES[name] for name in names)
    check(libc.unshare(flags), f"namespaces ({', '.join(names)})")
    if "mnt" in names:
        mount("none", "/", "", MS_REC | MS_PRIVATE)


def enter_user_namespace(plan: Plan) -> None:
    """A child that stays outside writes the maps: only there are we allowed to."""
    ready_read, ready_write = os.pipe()
    me = os.getpid()
    writer = os.fork()
    if writer == 0:
        os.close(ready_write)
        os.read(ready_read, 1)
        os._exit(write_maps(me, plan))
    os.close(ready_read)
    check(libc.unshare(NAMESPACES["user"]), "a user namespace")
    os.close(ready_write)
    _, status = os.waitpid(writer, 0)
    if status != 0:
        raise SetupError("mapping users", 1)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def write_maps(process: int, plan: Plan) -> int:
    """Write uid_map and gid_map of a process, by newuidmap when we may not ourselves."""
    for name in ("uid_map", "gid_map"):
        rows = plan[name]
        if plan["map_programs"]:
            words = [str(number) for row in rows for number in row]
            program = plan["map_programs"][name]
            if os.spawnv(os.P_WAIT, program, [program, str(process), *words]) != 0:  # noqa: S606
                return 1
        else:
            with open(f"/proc/{process}/{name}", "w") as file:
                file.write("\n".join(" ".join(map(str, row)) for row in rows))
    return 0


def init(plan: Plan) -> NoReturn:
    """PID 1 of the sandbox: build the root, start the command, reap until it ends."""
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if plan["hostname"]:
        socket.sethostname(plan["hostname"])
    if "net" in plan["namespaces"]:
        raise_loopback()
    for operation in plan["operations"]:
        OPERATIONS[operation["op"]](operation)
    if plan["root"]:
        change_root(plan["root"])
    command = os.fork()
    if command == 0:
        guard(plan, run_command)
    for descriptor in (0, 1, plan["status_fd"]):
        os.close(descriptor)
    while True:
        process, status = os.wait()
        if process == command:
            os._exit(exit_code(status))


def change_root(root: str) -> None:
    """pivot_root(2), so that no way leads back to the host's files."""
    mount(root, root, "", MS_BIND | MS_REC)
    os.chdir(root)
    number = SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise SetupError(f"pivot_root on {os.uname().machine}", 38)
    check(libc.syscall(number, b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "detaching the host's root")
    os.chdir("/")


def raise_loopback() -> None:
    """Bring 127.0.0.1 up: builds talk to themselves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        fcntl.ioctl(link, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def run_command(plan: Plan) -> NoReturn:
    """Give up everything that is not in the plan, then exec."""
    os.setsid()
    if plan["terminal"]:
        fcntl.ioctl(0, 0x540E, 0)  # TIOCSCTTY
    for name, value in plan["rlimits"].items():
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (limit, limit))
    os.umask(0o022)
    os.chdir(plan["cwd"])
    if plan["no_new_privileges"]:
        check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if plan["capabilities"] is not None:
        drop_capabilities(plan["capabilities"])
    if plan["user"]:
        os.setgroups([])
        os.setresgid(plan["user"], plan["user"], plan["user"])
        os.setresuid(plan["user"], plan["user"], plan["user"])
    for number in (signal.SIGPIPE, signal.SIGXFSZ, *IGNORED):
        signal.signal(number, signal.SIG_DFL)
    if plan["seccomp"]:
        install_filter(bytes.fromhex(plan["seccomp"]))
    try:
        os.execvpe(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606
    except OSError as refused:
        sys.stderr.write(f"{plan['argv'][0]}: {refused.strerror}\n")
        sys.stderr.flush()
        os._exit(127 if isinstance(refused, FileNotFoundError) else 126)


def drop_capabilities(kept: list[int]) -> None:
    """Cut the bounding set first: what is not in it can never come back, not even by set-id."""
    for number in range(LAST_CAPABILITY + 1):
        if number not in kept:
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("Ii", LINUX_CAPABILITY_VERSION_3, 0)
    data = struct.pack("6I", low, low, 0, high, high, 0)
    check(libc.capset(header, data), "capset")


def install_filter(program: bytes) -> None:
    """Install a seccomp filter (struct sock_fprog: how many instructions, and where)."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0), "seccomp")


def supervise(child: int, lifeline: int) -> int:
    """Wait for a child, or kill it when Lapstrake is gone (its end of the lifeline closed)."""
    descriptor = os.pidfd_open(child)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    while True:
        for ready, _ in poll.poll():
            if ready == lifeline:
                os.kill(child, signal.SIGKILL)
                poll.unregister(lifeline)
            else:
                return exit_code(os.waitpid(child, 0)[1])


def exit_code(status: int) -> int:
    """A wait status as a shell would say it."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def guard(plan: Plan, work: Callable[[Plan], NoReturn]) -> NoReturn:
    """Run a process' work; report what went wrong on the status pipe."""
    try:
        work(plan)
    except SetupError as failure:
        report = {"step": failure.step, "errno": failure.number}
    except OSError as failure:
        step = f"{work.__name__}: {failure.filename or failure}"
        report = {"step": step, "errno": failure.errno or 0}
    except BaseException as failure:
        report = {"step": f"{work.__name__}: {failure!r}", "errno": 0}
    os.write(plan["status_fd"], json.dumps(report).encode() + b"\n")
    os._exit(SETUP_FAILED)


def start(plan: Plan) -> NoReturn:
    """The supervisor's work."""
    for file in plan["cgroups"]:
        with open(file, "w") as joined:
            joined.write("0")
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(FIRST_TO_GO)  # when the host runs out of memory, a build pays and not the host
    enter_namespaces(plan)
    if plan["uplink"]:  # who waits for our namespaces gives them a network, until we end
        go, ready, _ = plan["uplink"]
        os.close(go)
        if os.read(ready, 1) != b"1":
            raise SetupError("a way to the network", 0)
    if plan["adopts"]:
        check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    child = os.fork()
    if child == 0:
        guard(plan, init if "pid" in plan["namespaces"] else run_bare)
    for descriptor in (0, 1, plan["status_fd"]):
        os.close(descriptor)
    status = supervise(child, plan["lifeline_fd"])
    if plan["adopts"]:
        kill_orphans()
    if plan["farewell"]:
        say_farewell(plan)
    os._exit(status)


def kill_orphans() -> None:
    """Kill what a command left behind; whatever those leave becomes our child in turn."""
    own = os.getpid()
    while True:
        for orphan in children(own):
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def children(parent: int) -> list[int]:
    """The children of a process, from proc(5): the parent follows the name, which may hold ')'."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                    found.append(int(name))
    return found


def say_farewell(plan: Plan) -> None:
    """Run the program that ends what the command only asked somebody else for (a container)."""
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    argv = plan["farewell"]
    os.spawnvpe(os.P_WAIT, argv[0], argv, plan["env"])  # noqa: S606


def run_bare(plan: Plan) -> NoReturn:
    """For a program that isolates by itself (systemd-nspawn): only mounts of our own."""
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    for operation in plan["operations"]:
        OPERATIONS[operation["op"]](operation)
    run_command(plan)


def main() -> NoReturn:
    """Read the plan and go."""
    # Signals to the whole group are Lapstrake's to handle: it ends us through the lifeline.
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with open(int(sys.argv[1]), "rb") as pipe:
        plan: Plan = json.loads(pipe.read())
    for descriptor in (plan["status_fd"], plan["lifeline_fd"], *plan["uplink"]):
        os.set_inheritable(descriptor, False)
    guard(plan, start)


if __name__ == "__main__":
    main()
