"""The units by which systemd runs a server and workers (systemd.service(5), systemd.exec(5))."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

SERVE, WORKER = "lapstrake-serve.service", "lapstrake-worker@.service"

_NETWORK = """\
Wants=network-online.target
After=network-online.target postgresql.service
"""
_SYSTEM = """\
User=root
# What builds do must stay possible: mounts, namespaces, set-id files, other personalities, and a
# /proc with nothing mounted over it, or no user namespace could mount its own. So no Protect*
# setting that covers a part of /proc, and no RestrictNamespaces, RestrictSUIDSGID, ProtectHostname.
ProtectSystem=full
ProtectHome=read-only
ProtectKernelModules=yes
RestrictRealtime=yes
KeyringMode=private
CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_BOOT CAP_WAKE_ALARM
"""


def unit_texts(*, user: bool = False, config_dir: Path | None = None) -> Mapping[str, str]:
    """The units' texts, by file name.

    Args:
        user: for a user's own service manager: rootless builds, nothing to harden further.
        config_dir: the configuration's folder; where users or the machine have it when ``None``.
    """
    folder = files("lapstrake.farm.operations") / "systemd"
    return {
        name: _filled((folder / name).read_text("utf-8"), config_dir, user=user)
        for name in (SERVE, WORKER)
    }


def _filled(text: str, config_dir: Path | None, *, user: bool) -> str:
    named = "" if config_dir is None else f"Environment=LAPSTRAKE_CONFIG={config_dir.absolute()}\n"
    words = {
        "@LAPSTRAKE@": _program(),
        "@CONFIG@": "%E/lapstrake" if config_dir is None else str(config_dir.absolute()),
        "@NAMED@\n": named,
        "@SYSTEM@\n": "" if user else _SYSTEM,
        "@NETWORK@\n": "" if user else _NETWORK,
        "@TARGET@": "default.target" if user else "multi-user.target",
    }
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _program() -> str:
    """How this very program is started, with all of its path."""
    started = Path(sys.argv[0])
    if started.name == "lapstrake" and started.is_file():
        return str(started.absolute())
    found = shutil.which("lapstrake")
    return found or f"{sys.executable} -m lapstrake"
