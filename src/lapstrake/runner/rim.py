"""The rim: one more lower layer, above the stack, that holds what depends on the host.

Mount points for binds, name resolution, the host's name. In a layer of their own they never show
in the workspace, so nothing of this machine gets into what a workspace becomes.
"""

from __future__ import annotations

from pathlib import Path

from lapstrake.host import uplink
from lapstrake.runner.base import Bind, Command, Network

HOSTNAME = "lapstrake"
STARTED = ".lapstrake-started"

_HOSTS = f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 {HOSTNAME}\n"
_MOUNT_POINTS = ("proc", "sys", "dev", "run", "tmp")


def lay(folder: Path, command: Command) -> Path:
    """Fill a folder as the rim for a command."""
    for name in _MOUNT_POINTS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    (folder / "etc").mkdir(exist_ok=True)
    _write(folder / "etc/hosts", _HOSTS)
    _write(folder / "etc/hostname", HOSTNAME + "\n")
    if command.network is Network.HOST:
        _write(folder / "etc/resolv.conf", _host_resolver())
    if command.network is Network.OUTSIDE:
        _write(folder / "etc/resolv.conf", f"nameserver {uplink.RESOLVER}\n")
    for target, content in command.files.items():
        file = folder / target.relative_to("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o755 if content.startswith(b"#!") else 0o644)
    for bind in command.binds:
        _mount_point(folder, bind)
    return folder


def _mount_point(folder: Path, bind: Bind) -> None:
    """An empty folder or file for something to be mounted on."""
    target = folder / str(bind.target).lstrip("/")
    if bind.source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def _host_resolver() -> str:
    """The host's resolv.conf: a local stub is reached too, since the network is the host's."""
    try:
        return Path("/etc/resolv.conf").read_text()
    except OSError:
        return ""


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o644)
