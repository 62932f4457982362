"""A seccomp filter as bytes: which system calls a build may not make (seccomp(2), BPF).

A deny list, like the container engines' defaults turned round: builds use nearly everything, but
never mounts, namespaces, modules, keys, clocks, tracing of the kernel, or virtual-machine sockets
(which no network namespace closes off).
"""

from __future__ import annotations

import errno
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENT_0 = 0, 4, 16
_NEW_USER = 0x10000000  # clone(2)'s CLONE_NEWUSER
_NEW_NAMESPACES = 0x7E020000  # all of clone(2)'s CLONE_NEW* flags
_AF_VSOCK = 40
_X32_BIT = 0x40000000

_EVERYWHERE = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431,
    "fsmount": 432, "fspick": 433, "mount_setattr": 442, "quotactl_fd": 443,
}  # fmt: skip


DENIED = (
    "syslog", "uselib", "ustat", "pivot_root", "_sysctl", "acct", "settimeofday", "mount",
    "umount2", "swapon", "swapoff", "reboot", "iopl", "ioperm", "create_module", "init_module",
    "delete_module", "get_kernel_syms", "query_module", "quotactl", "nfsservctl", "lookup_dcookie",
    "clock_settime", "kexec_load", "add_key", "request_key", "keyctl", "unshare",
    "perf_event_open", "fanotify_init", "open_by_handle_at", "clock_adjtime", "setns", "kcmp",
    "finit_module", "kexec_file_load", "bpf", "userfaultfd", *_EVERYWHERE,
)  # fmt: skip
"""The names of the denied calls, for engines that compile the filter themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One architecture's audit number and system call numbers (asm/unistd.h)."""

    audit: int
    clone: int
    socket: int
    denied: tuple[int, ...]
    clone3: int = 435


_X86_64 = _Table(
    audit=0xC000003E, clone=56, socket=41,
    denied=(
        103, 134, 136, 155, 156, 163, 164, 165, 166, 167, 168, 169, 172, 173, 174, 175, 176, 177,
        178, 179, 180, 212, 227, 246, 248, 249, 250, 272, 298, 300, 304, 305, 308, 312, 313, 320,
        321, 323,
    ),
)  # fmt: skip
_I386 = _Table(
    audit=0x40000003, clone=120, socket=359,
    denied=(
        21, 22, 25, 51, 52, 79, 86, 87, 88, 101, 103, 110, 115, 128, 129, 131, 217, 264, 283, 286,
        287, 288, 310, 336, 338, 342, 343, 346, 349, 350, 357, 374,
    ),
)  # fmt: skip
_ARM = _Table(
    audit=0x40000028, clone=120, socket=281,
    denied=(
        21, 51, 52, 79, 86, 87, 88, 103, 115, 128, 129, 131, 218, 262, 309, 310, 311, 337, 347, 364,
        367, 371, 372, 375, 378, 379, 386, 388,
    ),
)  # fmt: skip
_GENERIC_DENIED = (
    18, 39, 40, 41, 42, 60, 89, 97, 104, 105, 106, 112, 116, 142, 170, 217, 218, 219, 224, 225, 241,
    262, 265, 266, 268, 272, 273, 280, 282, 294,
)  # fmt: skip


def _generic(audit: int) -> _Table:
    """Architectures that share asm-generic's numbers."""
    return _Table(audit=audit, clone=220, socket=198, denied=_GENERIC_DENIED)


_TABLES: dict[str, tuple[_Table, ...]] = {
    "x86_64": (_X86_64, _I386),
    "i686": (_I386,),
    "aarch64": (_generic(0xC00000B7), _ARM),
    "armv7l": (_ARM,),
    "riscv64": (_generic(0xC00000F3),),
    "loongarch64": (_generic(0xC0000102),),
}


def supported(machine: str) -> bool:
    """Whether there is a filter for a machine (``os.uname().machine``)."""
    return machine in _TABLES


def build_filter(machine: str) -> bytes:
    """Compile the filter for a machine; empty when there is none for it.

    Calls of an architecture that is not in the machine's tables are refused, so that no second
    set of numbers is a way round.
    """
    if not supported(machine):
        return b""
    blocks = [(table.audit, _block(table)) for table in _TABLES[machine]]
    program = [_instruction(_LOAD, _OFFSET_ARCH)]
    for audit, block in blocks:
        # Blocks are longer than a conditional jump reaches, so step over an unconditional one.
        program.append(_instruction(_JUMP_EQUAL, audit, 1, 0))
        program.append(_instruction(0x05, len(block)))  # JA
        program += block
    program.append(_fail(errno.ENOSYS))
    return b"".join(program)


def build_socket_filter(machine: str) -> bytes:
    """Compile a filter that refuses the virtual machine's host's sockets and new user namespaces.

    For a runner that filters all other calls by itself but cannot look at arguments. Namespaces of
    other kinds pass: the runner makes its own, and a build has no rights to.
    """
    program = [_instruction(_LOAD, _OFFSET_ARCH)]
    for table in _TABLES.get(machine, ()):
        block = [_instruction(_LOAD, _OFFSET_NUMBER), *_refuse_second_set(table)]
        block += _refuse_namespaces(table, _NEW_USER)
        block += [*_refuse_host_sockets(table), _instruction(_RETURN, _ALLOW)]
        program += [_instruction(_JUMP_EQUAL, table.audit, 0, len(block)), *block]
    program.append(_instruction(_RETURN, _ALLOW))
    return b"".join(program)


def engine_profile() -> str:
    """The same filter as a profile of container engines (JSON, docs.docker.com/engine/security)."""
    rules: list[dict[str, object]] = [_rule(DENIED, errno.EPERM), _rule(["clone3"], errno.ENOSYS)]
    for bit in range(32):
        if _NEW_NAMESPACES >> bit & 1:
            flag = 1 << bit
            rules.append(_rule(["clone"], errno.EPERM, "SCMP_CMP_MASKED_EQ", flag, flag))
    rules.append(_rule(["socket"], errno.EAFNOSUPPORT, "SCMP_CMP_EQ", _AF_VSOCK, 0))
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "archMap": [
                {"architecture": f"SCMP_ARCH_{name}", "subArchitectures": below}
                for name, below in (
                    ("X86_64", ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
                    ("AARCH64", ["SCMP_ARCH_ARM"]),
                )
            ],
            "syscalls": rules,
        }
    )


def _rule(
    names: Sequence[str], number: int, operator: str = "", value: int = 0, second: int = 0
) -> dict[str, object]:
    """Refuse calls; with an operator, only where their first argument is so."""
    rule: dict[str, object] = {
        "names": list(names),
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": number,
    }
    if operator:
        rule["args"] = [{"index": 0, "value": value, "valueTwo": second, "op": operator}]
    return rule


def _block(table: _Table) -> list[bytes]:
    """What happens to the calls of one architecture; every path returns."""
    lines = [_instruction(_LOAD, _OFFSET_NUMBER)]
    lines += _refuse_second_set(table)
    for number in (*table.denied, *_EVERYWHERE.values()):
        lines += [_instruction(_JUMP_EQUAL, number, 0, 1), _fail(errno.EPERM)]
    lines += _refuse_namespaces(table, _NEW_NAMESPACES)
    return [*lines, *_refuse_host_sockets(table), _instruction(_RETURN, _ALLOW)]


def _refuse_namespaces(table: _Table, flags: int) -> list[bytes]:
    """With the call's number loaded: fail for new processes with any of these flags, else go on.

    clone3's flags are behind a pointer, which no filter can read: libraries fall back to clone.
    """
    return [
        _instruction(_JUMP_EQUAL, table.clone3, 0, 1),
        _fail(errno.ENOSYS),
        _instruction(_JUMP_EQUAL, table.clone, 0, 5),
        _instruction(_LOAD, _OFFSET_ARGUMENT_0),
        _instruction(_AND, flags),
        _instruction(_JUMP_EQUAL, 0, 0, 1),
        _instruction(_RETURN, _ALLOW),
        _fail(errno.EPERM),
    ]


def _refuse_second_set(table: _Table) -> list[bytes]:
    """With the call's number loaded: fail for x32's numbers, which are x86_64's over again."""
    if table is not _X86_64:
        return []
    return [_instruction(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1), _fail(errno.ENOSYS)]


def _refuse_host_sockets(table: _Table) -> list[bytes]:
    """With the call's number loaded: fail for AF_VSOCK, else go on after these four.

    i386 has another way, socketcall(2), whose arguments are behind a pointer. It stays open: what
    root a command will see is not known here, and Debian's libc for i386 opens all sockets so.
    """
    return [
        _instruction(_JUMP_EQUAL, table.socket, 0, 3),
        _instruction(_LOAD, _OFFSET_ARGUMENT_0),
        _instruction(_JUMP_EQUAL, _AF_VSOCK, 0, 1),
        _fail(errno.EAFNOSUPPORT),
    ]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One struct sock_filter."""
    return struct.pack("=HBBI", code, if_true, if_false, value & 0xFFFFFFFF)


def _fail(number: int) -> bytes:
    """Make the call fail with an error number."""
    return _instruction(_RETURN, _ERROR | number)


def instructions(program: bytes) -> Sequence[tuple[int, int, int, int]]:
    """Take a filter apart, for tests: code, jump if true, jump if false, value."""
    return tuple(struct.iter_unpack("=HBBI", program))
