"""SIGKILL while a package that is depended on is unpacked: it is whole or not there."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from lapstrake.host.files import TEMPORARY

FILES = 1500
KILLS = 4
MANIFEST = '[package]\nname = "a"\ntype = "package"\nversion = "1"\n'
READ = """
import sys
from pathlib import Path
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.manifest.project import read_project
from lapstrake.config.model import CacheConfig, Config
top = Path(sys.argv[1])
config = Config(work_dir=top / "work", cache=CacheConfig(download_dir=top / "downloads"))
project = read_project(top / "app", depot=Depot(config=config, environment={}))
print(project.packages[0].folder)
"""


def _reader(top: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", READ, top],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def _project(top: Path) -> None:
    archive = top / "a.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name in ("lapstrake.toml", *(f"file-{number}" for number in range(FILES))):
            info = tarfile.TarInfo(f"a-1/{name}")
            info.size = len(MANIFEST)
            tar.addfile(info, io.BytesIO(MANIFEST.encode()))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    (top / "app").mkdir()
    (top / "app" / "lapstrake.toml").write_text(
        f'[project]\nname = "app"\n[dependencies.a]\nurl = "../a.tar.gz"\nsha256 = "{sha256}"\n'
    )


def test_a_killed_fetch_leaves_nothing_half_there(tmp_path: Path) -> None:
    _project(tmp_path)
    packages = tmp_path / "work" / "packages"
    chance = random.Random(4)
    killed = 0
    for _ in range(KILLS):
        left = set(packages.glob(f"{TEMPORARY}*"))
        with _reader(tmp_path) as reader:
            while reader.poll() is None and not set(packages.glob(f"{TEMPORARY}*")) - left:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.2))
            if reader.poll() is None:
                reader.send_signal(signal.SIGKILL)
                killed += 1
        for whole in packages.glob("a-*"):
            assert len(list(whole.iterdir())) == FILES + 1
            for file in whole.iterdir():
                file.unlink()
            whole.rmdir()  # so that the next one unpacks, too
    assert killed, "none was still at work: the archive is too small for this host"
    with _reader(tmp_path) as reader:
        told, _ = reader.communicate(timeout=60)
    assert len(list(Path(told.strip()).iterdir())) == FILES + 1
    assert not list(packages.glob(f"{TEMPORARY}*"))
