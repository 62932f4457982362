"""Container engines for tests: docker's daemon and podman, with stores of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from lapstrake.host.process import find_program

_STARTS = 3  # on a busy machine docker's daemon may lose patience with its own containerd


@contextlib.contextmanager
def running_docker(folder: Path) -> Iterator[str]:
    """The host's daemon when it answers, else one of our own; gives its address."""
    if find_program("docker") is None:
        pytest.skip("docker is not installed (apt install docker.io)")
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0:
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    if os.geteuid() != 0 or find_program("dockerd") is None:
        pytest.skip("docker's daemon does not answer, and starting one needs root and dockerd")
    with own_docker(folder) as (address, _daemon):
        yield address


def remove_images(environment: Mapping[str, str], begin: str, *, program: str = "docker") -> None:
    """Remove an engine's images whose names begin so: the daemon may be the host's own."""
    listed = subprocess.run(
        [program, "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}"],
        env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    found = {line.split()[0] for line in listed if line.split()[-1].startswith(begin)}
    if found:
        removed = [program, "rmi", "--force", *sorted(found)]
        subprocess.run(removed, env={**os.environ, **environment}, check=True, capture_output=True)


def import_image(program: str, root: Path, tag: str, **how: Any) -> None:
    """Make an image of a folder, unless the engine has one of that name."""
    asked = [program, "image", "inspect", tag]
    if subprocess.run(asked, **how, capture_output=True, check=False).returncode == 0:
        return
    packed = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True).stdout
    made = [program, "import", "-", tag]
    subprocess.run(made, **how, input=packed, capture_output=True, check=True)


def remove_volumes(program: str, folder: Path, **how: Any) -> None:
    """Remove the volumes of builds below a folder."""
    for file in folder.rglob(".docker_id"):
        listed = [program, "volume", "ls", "--quiet", "--filter", f"name={file.read_text()}"]
        answer = subprocess.run(listed, **how, capture_output=True, text=True, check=True)
        removed = [program, "volume", "rm", "--force", *answer.stdout.split()]
        subprocess.run(removed, **how, capture_output=True, check=True)


@contextlib.contextmanager
def own_docker(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A daemon with a store of its own: its address, and its process."""
    if os.geteuid() != 0 or find_program("dockerd") is None:
        pytest.skip("starting docker's daemon needs root and dockerd (apt install docker.io)")
    # Not in pytest's folder, which nobody but us may enter: users of docker reach it, too.
    door = Path(tempfile.mkdtemp(prefix="docker-"))
    door.chmod(0o755)
    address = f"unix://{door}/sock"
    options = ["--iptables=false", "--ip6tables=false", "--bridge=none", "-H", address]
    places = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    with (folder / "log").open("wb") as log:
        for _ in range(_STARTS):
            daemon = subprocess.Popen(
                ["dockerd", *options, *places], stdout=log, stderr=log, start_new_session=True
            )
            if _answers(daemon, address):
                break
    try:
        if daemon.poll() is not None:
            pytest.skip(f"dockerd does not start: {(folder / 'log').read_text()[-300:]}")
        yield address, daemon
    finally:
        daemon.terminate()
        daemon.wait(60)
        _clear(folder)
        shutil.rmtree(door)


def _answers(daemon: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until a daemon answers; says whether it still runs."""
    for _ in range(300):
        probe = ["docker", "-H", address, "version"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            break
        if daemon.poll() is not None:
            return False
        time.sleep(0.1)
    return True


def _clear(folder: Path) -> None:
    """End and unmount what a daemon left, above all one that was killed."""
    for process in psutil.process_iter(["cmdline"]):
        if any(word.startswith(f"{folder}/exec/") for word in process.info["cmdline"] or ()):
            process.kill()
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    for mount in [Path(line.split()[4]) for line in reversed(table)]:  # pytest cannot remove them
        if mount.is_relative_to(folder):
            subprocess.run(["umount", "--lazy", mount], check=False)


@contextlib.contextmanager
def podman_of_our_own(folder: Path, uid: int | None = None) -> Iterator[dict[str, str]]:
    """Variables for a podman with its own store, and a runtime that knows our control groups.

    Args:
        folder: where the store goes.
        uid: the user whose it is to be.
    """
    if find_program("podman") is None:
        pytest.skip("podman is not installed (apt install podman)")
    runtime = ""
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():  # crun refuses mixed hierarchies
        if find_program("runc") is None:
            pytest.skip("podman needs runc with control groups of version 1 (apt install runc)")
        runtime = 'runtime="runc"\n'
    containers = folder / "containers.conf"
    # Its own limits may be more than we may raise ours to.
    limits = '[containers]\ndefault_ulimits=["nofile=1024:1024", "nproc=4096:4096"]\n'
    containers.write_text(f'{limits}[engine]\n{runtime}cgroup_manager="cgroupfs"\n')
    storage = folder / "storage.conf"
    # Its sockets are below here; with a longer path podman waits 20 s for each container's end.
    run = Path(tempfile.mkdtemp(prefix="lp"))
    if uid is not None:
        os.chown(run, uid, -1)
    driver = "overlay" if uid is None else "vfs"
    storage.write_text(
        f'[storage]\ndriver="{driver}"\ngraphroot="{folder}/store"\nrunroot="{run}"\n'
    )
    try:
        yield {
            "CONTAINERS_CONF": str(containers), "CONTAINERS_STORAGE_CONF": str(storage),
            **({} if uid is None else {"XDG_RUNTIME_DIR": str(run)}),
        }  # fmt: skip
    finally:
        # A mount of the store on itself; pytest could not remove it.
        unmount = ["umount", "--lazy", str(folder / "store/overlay")]
        subprocess.run(unmount, check=False, capture_output=True)
        shutil.rmtree(run, ignore_errors=True)
