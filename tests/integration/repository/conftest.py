"""Real packages, a real apt with folders of its own, and a real web server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lapstrake.names import BranchName
from lapstrake.repository.flat import Repository
from lapstrake.repository.signing import own_signer

PROGRAMS = ("apt-get", "dpkg-deb", "gpg", "gpgv")

MakeDeb = Callable[..., Path]
MakeRepository = Callable[..., Repository]


@pytest.fixture(autouse=True)
def _programs() -> None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {' '.join(missing)}")


@pytest.fixture
def make_deb(tmp_path: Path) -> MakeDeb:
    """Build a tiny package; the content tells builds of one version apart."""

    def make(
        name: str,
        version: str = "1.0",
        content: str = "",
        *,
        file_name: str = "",
        arch: str = "all",
    ) -> Path:
        root = tmp_path / "trees" / f"{name}_{version}_{arch}_{len(content)}"
        (root / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (root / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\n"
            f"Maintainer: A <a@example.org>\nDescription: {name}\n"
        )
        (root / "usr" / "share" / name).mkdir(parents=True, exist_ok=True)
        (root / "usr" / "share" / name / "content").write_text(content)
        folder = tmp_path / "built"
        folder.mkdir(exist_ok=True)
        path = folder / (file_name or f"{name}_{version.rpartition(':')[2]}_{arch}.deb")
        words = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(root), str(path)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        return path

    return make


@pytest.fixture
def make_repository(tmp_path: Path) -> MakeRepository:
    def make(branch: str = "stable", keys: str = "keys", **options: object) -> Repository:
        return Repository(
            tmp_path / "output" / branch,
            BranchName(branch),
            partial(own_signer, tmp_path / keys),
            **options,  # type: ignore[arg-type]
        )

    return make


@dataclass
class Apt:
    """An apt that knows nothing of the host's sources, keys and packages."""

    folder: Path
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("etc/sources.d", "etc/parts", "state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "state" / "status").touch()
        self.config = self.folder / "apt.conf"
        self.config.write_text(
            f'Dir::Etc "{self.folder}/etc";\nDir::Etc::sourcelist "/dev/null";\n'
            f'Dir::Etc::sourceparts "{self.folder}/etc/sources.d";\n'
            f'Dir::Etc::parts "{self.folder}/etc/parts";\nDir::Etc::trusted "/dev/null";\n'
            f'Dir::Etc::trustedparts "{self.folder}/etc/parts";\n'
            f'Dir::State "{self.folder}/state";\n'
            f'Dir::State::status "{self.folder}/state/status";\n'
            f'Dir::Cache "{self.folder}/cache";\n'
            'APT::Sandbox::User "root";\nAcquire::http::Proxy "DIRECT";\n'
            'Acquire::Languages "none";\nAPT::Update::Error-Mode "any";\nAcquire::Retries "0";\n'
        )

    def be(self, *archs: str) -> None:
        """Be the apt of another machine, which may know packages of further ones."""
        known = " ".join(f'"{arch}";' for arch in archs)
        with self.config.open("a") as config:
            config.write(f'APT::Architecture "{archs[0]}";\nAPT::Architectures {{ {known} }};\n')

    def use(self, sources: str) -> None:
        (self.folder / "etc" / "sources.d" / "branch.sources").write_text(sources)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "APT_CONFIG": str(self.config), "LC_ALL": "C.UTF-8"}
        environment["TMPDIR"] = str(self.folder)  # apt 2.6 forgets inline keys there
        return subprocess.run(
            words, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=120
        )

    def update(self) -> subprocess.CompletedProcess[str]:
        return self.run("apt-get", "update")

    def names(self) -> list[str]:
        """Every package and version that apt knows now."""
        known = self.run("apt-cache", "pkgnames").stdout.split()
        shown = self.run("apt-cache", "show", "--all-versions", *known).stdout
        names = [line[9:] for line in shown.splitlines() if line.startswith("Package: ")]
        versions = [line[9:] for line in shown.splitlines() if line.startswith("Version: ")]
        return sorted(f"{name} {version}" for name, version in zip(names, versions, strict=True))

    def would_install(self, *names: str) -> list[str]:
        """The architectures of what it would install; none when there is nothing to install."""
        done = self.run("apt-get", "--simulate", "install", *names)
        return re.findall(r"^Inst .* \[([a-z0-9]+)\]\)", done.stdout, re.MULTILINE)

    def download(self, name: str) -> subprocess.CompletedProcess[str]:
        for old in self.folder.glob("*.deb"):
            old.unlink()
        return self.run("apt-get", "download", name)


@pytest.fixture
def make_apt(tmp_path: Path) -> Callable[..., Apt]:
    return lambda name="apt": Apt(tmp_path / name)


@dataclass
class Web:
    """A folder served over HTTP, and what was asked for."""

    address: str
    asked: list[str]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            asked.append(self.path)

    served = tmp_path / "output"
    served.mkdir(exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Web(f"http://127.0.0.1:{server.server_port}", asked)
        finally:
            server.shutdown()
            thread.join()
