"""Publishing that is killed: what is there is what was there before, or all of the new."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lapstrake.artifact.base import OciSite
from lapstrake.artifact.sites.base import NotThereError, Terms
from lapstrake.artifact.sites.registry import plan_registry
from lapstrake.progress import Silent
from parcels import parcel_of, publish
from registry_gate import breaking_door
from registry_server import served

_VICTIM = """\
import sys
from pathlib import Path
from lapstrake.artifact.base import FolderSite, OciSite
from parcels import parcel_of, publish
kind, place, folder, size = sys.argv[1:]
parcel = parcel_of(Path(folder), b"new" * int(size))
site = OciSite(repository=place) if kind == "oci" else FolderSite(path=Path(place))
print("begins", flush=True)
publish(site, parcel, force=True)
"""
_SIZE = 10 << 20


def _start(*words: str) -> subprocess.Popen[str]:
    argv: Sequence[str] = [sys.executable, "-c", _VICTIM, *words, str(_SIZE)]
    victim = subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "begins\n"
    return victim


def _kill(victim: subprocess.Popen[str]) -> None:
    victim.kill()
    victim.communicate()


def test_a_registry_keeps_its_tag(memory: Path, tmp_path: Path) -> None:
    with served(memory / "registry-of-the-killed") as registry:
        name = f"{registry.host}/push/killed"
        parcel = parcel_of(tmp_path / "old", b"old")
        (place,) = plan_registry(OciSite(repository=name), parcel.identity)
        with pytest.raises(NotThereError):
            place.get(tmp_path / "got", Terms(), Silent())
        publish(OciSite(repository=name), parcel)
        with breaking_door(registry.host) as door:
            victim = _start("oci", f"{door.address}/push/killed", str(tmp_path / "new"))
            while door.passed < _SIZE // 10:
                assert victim.poll() is None
                time.sleep(0.001)
            _kill(victim)
        place.get(tmp_path / "got", Terms(), Silent())
        assert (tmp_path / "got").read_bytes() == b"old"
        publish(OciSite(repository=name), parcel_of(tmp_path / "new", b"new" * _SIZE), force=True)
        place.get(tmp_path / "got", Terms(), Silent())
        assert (tmp_path / "got").read_bytes() == b"new" * _SIZE


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.1])
def test_a_folder_has_the_old_file_or_the_new(tmp_path: Path, delay: float) -> None:
    """And the digest beside it, if there is one, is of that file."""
    site = tmp_path / "site"
    site.mkdir()
    parcel = parcel_of(tmp_path / "old", b"old")
    name = parcel.identity.file_name
    (site / name).write_bytes(b"old")
    victim = _start("folder", str(site), str(tmp_path / "new"))
    time.sleep(delay)
    _kill(victim)
    assert (site / name).read_bytes() in (b"old", b"new" * _SIZE)
    digest = site / f"{name}.sha256"
    if digest.exists():
        subprocess.run(["sha256sum", "-c", "--quiet", digest], cwd=site, check=True)
