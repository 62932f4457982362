"""What a command cannot see, reach or do."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from psutil import Process

from lapstrake.host.sandbox import CAPABILITIES
from lapstrake.runner.base import Command, Network
from own_address import need_uplink, own_address
from runner_subjects import Subject, run, said, sh

GREETING = b"greeting of the host\n"


@contextmanager
def listener(address: str = "127.0.0.1") -> Iterator[int]:
    """A server on the host, on its loopback if not told otherwise; gives its port."""
    with socket.create_server((address, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(GREETING)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_without_network_the_host_is_out_of_reach(isolating: Subject) -> None:
    with listener() as port, isolating.session() as session:
        outcome, text = sh(session, f"nc -w 3 127.0.0.1 {port} </dev/null")
        assert GREETING.decode() not in text
        assert not outcome.ok
        links = said(session, "ls /sys/class/net 2>/dev/null || echo lo; cat /proc/net/route")
        assert "eth" not in links


def test_without_network_loopback_works(isolating: Subject) -> None:
    script = """
    (while :; do echo inside | nc -l -p 5000 >/dev/null; done) &
    i=0
    while [ $i -lt 50 ]; do
        text=$(nc -w 2 127.0.0.1 5000 </dev/null)
        [ "$text" ] && echo "$text" && exit
        sleep 0.1; i=$((i+1))
    done
    """
    with isolating.session() as session:
        assert "inside\n" in said(session, script)


def test_the_way_to_the_network_leaves_the_hosts_mounts_alone(layering: Subject) -> None:
    need_uplink(layering.uid)
    folder = layering.new_folder("shared")

    def ours() -> list[str]:
        lines = Path("/proc/self/mounts").read_text().splitlines()
        return [line for line in lines if str(folder) in line]

    script = "mount -t tmpfs --make-shared x $0 && mkdir $0/in && mount -t tmpfs y $0/in"
    if layering.rootless or subprocess.run(["sh", "-c", script, folder], check=False).returncode:
        pytest.skip("only root mounts")
    try:
        with layering.session() as session:
            said(session, "true", network=Network.OUTSIDE)
        assert len(ours()) == 2
    finally:
        subprocess.run(["umount", "--recursive", folder], check=False)


def test_with_the_hosts_network_the_host_is_reached(isolating: Subject) -> None:
    with listener() as port, isolating.session() as session:
        text = said(session, f"nc -w 5 127.0.0.1 {port} </dev/null", network=Network.HOST)
    assert text.encode() == GREETING


def test_with_a_network_of_its_own_the_hosts_loopback_is_out_of_reach(isolating: Subject) -> None:
    need_uplink(isolating.uid)
    host = "127.0.0.1 ::1 10.0.2.2"  # the last stands for it
    script = f"for host in {host}; do nc -w 1 $host $1 </dev/null; done; :"
    with listener() as port, isolating.session() as session:
        assert (
            said(session, f"({script}) 2>&1", str(port), network=Network.OUTSIDE).count(
                GREETING.decode()
            )
            == 0
        )


def test_with_a_network_of_its_own_other_machines_are_reached(layering: Subject) -> None:
    need_uplink(layering.uid)
    address = own_address()
    with listener(address) as port, layering.session() as session:
        script = f"nc -w 5 {address} {port} </dev/null; cat /etc/resolv.conf; cat /proc/net/unix"
        text = said(session, script, network=Network.OUTSIDE)
        quiet = said(session, "cat /proc/net/unix; ls /sys/class/net 2>/dev/null || echo lo")
    assert GREETING.decode() in text
    assert "nameserver 10.0.2.3" in text
    assert "@" not in text  # no abstract socket of the host's
    assert quiet.split()[-1] == "lo"  # the next command has none again


def test_the_way_to_the_network_ends_with_the_command(layering: Subject) -> None:
    need_uplink(layering.uid)
    seen: list[Process] = []

    def look(_data: bytes) -> None:
        ours = Process().children(recursive=True)
        seen.extend(each for each in ours if each.name() == "slirp4netns")

    with layering.session() as session:
        command = Command(argv=("sh", "-c", "echo; sleep 0.2"), network=Network.OUTSIDE)
        session.run(command, on_output=look)
    assert seen
    assert not psutil.wait_procs(seen, timeout=10)[1]


def test_with_the_hosts_network_names_are_resolved_as_on_the_host(isolating: Subject) -> None:
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver")]
    with isolating.session() as session:
        text = said(
            session, "cat /etc/resolv.conf; grep localhost /etc/hosts", network=Network.HOST
        )
    assert all(f"nameserver {server}" in text for server in servers)
    assert "127.0.0.1" in text


def test_the_hosts_files_are_not_there(isolating: Subject) -> None:
    canary = isolating.folder / "canary"
    canary.write_text("secret of the host")
    canary.chmod(0o644)
    places = [f"{prefix}{canary}" for prefix in ("", "/proc/1/root", "/proc/self/root/../..")]
    with isolating.session() as session:
        for place in places:
            outcome, text = run(session, "cat", place)
            assert not outcome.ok
            assert "secret" not in text
        assert said(session, "cat /etc/shadow") == "root:*:1::::::\n"
        assert said(session, "ls /root") == ""


def test_the_hosts_processes_are_not_there(isolating: Subject) -> None:
    with isolating.session() as session:
        numbers = said(session, "ls /proc | grep '^[0-9]' | wc -l")
        assert int(numbers) < 12
        assert not sh(session, "kill -0 4194304 || kill -0 30000")[0].ok


def test_capabilities_are_cut(isolating: Subject) -> None:
    with isolating.session() as session:
        text = said(session, "grep -E '^Cap(Bnd|Eff|Prm)' /proc/self/status")
    allowed = sum(1 << number for number in CAPABILITIES.values())
    allowed |= (1 << 2) | (1 << 9)  # CAP_DAC_READ_SEARCH and CAP_LINUX_IMMUTABLE do no harm
    for line in text.splitlines():
        assert int(line.split()[1], 16) & ~allowed == 0, line


def test_no_new_privileges(isolating: Subject) -> None:
    with isolating.session() as session:
        text = said(session, "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status")
    assert text.split() == ["NoNewPrivs:", "1", "Seccomp:", "2"]


def test_forbidden_calls_are_refused(isolating: Subject) -> None:
    if not (isolating.root / "bin/calls").exists():
        pytest.skip("gcc cannot link a static program here")
    with isolating.session() as session:
        answers = dict(line.split() for line in said(session, "calls").splitlines())
    allowed = {name for name, answer in answers.items() if answer == "OK"}
    assert allowed == {"inet", "unix"}
    assert answers["vsock"] in {"EAFNOSUPPORT", "EPERM"}
    assert answers["mount"] == answers["unshare-user"] == "EPERM"


def test_the_kernels_settings_are_read_only(isolating: Subject) -> None:
    with isolating.session() as session:
        for file in ("kernel/hostname", "vm/drop_caches", "kernel/core_pattern"):
            outcome, _ = sh(session, f"echo 1 > /proc/sys/{file}")
            assert not outcome.ok
        assert not sh(session, "echo b > /proc/sysrq-trigger")[0].ok
        groups = "for d in . memory; do test -e $d/cgroup.procs && mkdir $d/x && exit; done; exit 1"
        assert not sh(session, f"cd /sys/fs/cgroup || exit 1; {groups}")[0].ok


def test_drivers_folders_in_proc_are_read_only(isolating: Subject) -> None:
    names = [name for name in ("acpi", "scsi", "asound") if Path("/proc", name).is_dir()]
    if not names:
        pytest.skip("this kernel has no such folders")
    with isolating.session() as session:
        rows = [line.split() for line in said(session, "cat /proc/self/mounts").splitlines()]
    options = {row[1]: row[3].split(",") for row in rows}
    for name in names:
        assert "ro" in options.get(f"/proc/{name}", ()), options


def test_devices_are_the_harmless_ones(isolating: Subject) -> None:
    with isolating.session() as session:
        names = set(said(session, "ls /dev").split())
        said(session, "echo x > /dev/null; head -c 4 /dev/zero /dev/urandom >/dev/null")
        assert not sh(session, "mknod disk b 254 0 && head -c 1 disk")[0].ok
    assert not [name for name in names if name.startswith(("vd", "sd", "kvm", "mem", "vsock"))]


def test_the_hosts_name_is_not_told(isolating: Subject) -> None:
    with isolating.session() as session:
        assert said(session, "hostname") == "lapstrake\n"
