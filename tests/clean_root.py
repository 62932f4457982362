"""A root that Lapstrake has no part in, to install published packages in: apt over HTTP."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from shop import Shop


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests print enough."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def install_and_run(shop: Shop, branch: str, packages: str, command: str) -> str:
    """Install packages of a branch in a clean root, as any machine would, and run a command there.

    The root is the base OS' tree below a throw-away overlay, started by systemd-nspawn directly.
    """
    state = json.loads((shop.work_dir / ".builder/base.json").read_text())
    tree = shop.work_dir / ".builder/store/layers" / state["key"] / "tree"
    with served(shop.output(branch)) as url:
        line = f"deb [signed-by=/etc/apt/keyrings/shop.asc] {url} ./"
        script = f"""set -e
        exec 3>&1 >&2
        echo '{line}' > /etc/apt/sources.list.d/shop.list
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q update
        apt-get -q -y --no-install-recommends install {packages}
        exec >&3
        {command}
        """
        done = subprocess.run(
            [
                "systemd-nspawn", "--quiet", f"--directory={tree}", "--volatile=overlay",
                "--register=no", "--keep-unit", "--as-pid2", "--pipe", "--resolv-conf=bind-host",
                f"--bind-ro={shop.output(branch)}/key.asc:/etc/apt/keyrings/shop.asc",
                "/bin/sh", "-c", script,
            ],
            capture_output=True,
            text=True,
            timeout=600,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
