"""A real toolchain and a real small system: built, published, got in a clean home, and used.

Nothing stands in for anything: the compiler is Debian's, taken out of an image of a branch's
packages by Docker; BusyBox is compiled from its sources by it; the site is a web server; what comes
out runs in an emulator.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cross_project import needs_cross_tools
from engines import remove_volumes
from project import PROJECT
from roots import Completed, run_cli
from shop import Shop

_BUILDERS = {"gcc_arm64": "docker", "tiny_arm64": "local"}
_IMAGE = "localhost/lapstrake/gcc_arm64:1"
_QUICKLY = """archive = '''
mv tree "$LAPSTRAKE_ARTIFACT_NAME"
tar -c "$LAPSTRAKE_ARTIFACT_NAME" | xz -1 >"$LAPSTRAKE_ARTIFACT_FILE"'''"""
"""A third of the test's time would else go into packing the compiler well."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests print enough."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """A folder as a web site."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def _copy_examples(folder: Path, site: str) -> Path:
    """The examples as somebody has them, with a site for both packages; gives the application."""
    shutil.copytree(PROJECT / "examples/cross", folder)
    for name in _BUILDERS:
        with (folder / name / "lapstrake.toml").open("a") as file:
            file.write(f'\n[[site]]\nurl = "{site}"\n')
    toolchain = folder / "gcc_arm64/lapstrake.toml"
    toolchain.write_text(toolchain.read_text().replace('output = "tree"', _QUICKLY))
    return folder / "greeter"


def _run(application: Path, home: Path, *words: str, **variables: str) -> Completed:
    home.mkdir(exist_ok=True)
    variables["NERVES_DL_DIR"] = str(home / "dl")
    done = run_cli(*words, work_dir=home, cwd=application, timeout=600, **variables)
    assert done.ok, done.stderr
    return done


def _run_on_target(sysroot: Path, *words: Path | str) -> str:
    argv = ["qemu-aarch64-static", "-L", sysroot, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def image(shop: Shop, docker_daemon: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The image that the toolchain is taken out of, in Docker, as the example's README makes it.

    Gives the daemon's address.
    """
    monkeypatch.setenv("DOCKER_HOST", docker_daemon)
    text = (PROJECT / "examples/cross/README.md").read_text()
    line = text.partition("    lapstrake image build ")[2].partition("    lapstrake")[0]
    assert f"docker-daemon:{_IMAGE} " in line
    words = line.replace("\\\n", " ").split()
    shop.ok("image", "build", *words, DOCKER_HOST=docker_daemon)
    yield docker_daemon
    removed = ["docker", "rmi", "--force", _IMAGE]
    subprocess.run(removed, check=True, capture_output=True)


@pytest.mark.slow
def test_a_toolchain_and_a_system_for_others(image: str, tmp_path: Path) -> None:
    needs_cross_tools("make", "cmake", "ninja", "meson")
    site = tmp_path / "site"
    site.mkdir()
    with _served(site) as url:
        maker = _copy_examples(tmp_path / "maker", url)
        for name, builder in _BUILDERS.items():
            words = ("artifact", "build", "--builder", builder, name)
            _run(maker, tmp_path / "home", *words, DOCKER_HOST=image)
            _run(maker, tmp_path / "home", "artifact", "publish", name, "--to", str(site))
        user = _copy_examples(tmp_path / "user", url)
        got = _run(user, tmp_path / "clean", "artifact", "get").stdout
        remove_volumes("docker", tmp_path)
    assert got.count(url) == len(_BUILDERS)

    build = (
        "make; cmake -B cm -G Ninja; ninja -C cm; ctest --test-dir cm;"
        ' meson setup me --cross-file "$MESON_CROSS_FILE"; ninja -C me; meson test -C me;'
        ' echo "system: $NERVES_SYSTEM"'
    )
    done = _run(user, tmp_path / "clean", "exec", "--", "sh", "-ec", build)
    assert "100% tests passed" in done.stdout
    system = Path(done.stdout.rpartition("system: ")[2].strip())
    assert system.parent == tmp_path / "clean/artifacts"
    for folder in (".", "cm", "me"):
        said = _run_on_target(system / "staging", user / folder / "greeter")
        assert said == "greetings from aarch64\n"
    busybox = _run_on_target(system / "staging", system / "images/rootfs/bin/uname", "-m")
    assert busybox == "aarch64\n"
