"""An image of packages on a Debian base, against `docker build` with the same `apt-get install`.

Both have the base's layers and all package files on the disk, and nothing else: the layers of the
packages are made in each round. Then: a second image that shares its packages with the first, and a
manifest that is ready.

The work folder (LAPSTRAKE_WORK_DIR) must have a base OS and the branch `stable`; use a copy, since
layers of packages are removed from it. dockerd must run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pairs import Contender, command, race, report

from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.load import load_config
from lapstrake.image.make import made_image
from lapstrake.image.names import read_name
from lapstrake.image.record import all_images, forget_image
from lapstrake.layer.store import LayerStore
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.choose import choose

_PREPARED = "lapstrake-bench:prepared"
_BASE = "lapstrake-bench:base"
_MADE = ("package", "preinst", "configured", "installed", "remainder")


def lapstrake(*words: str) -> list[str]:
    """The program's command line."""
    return [sys.executable, "-m", "lapstrake", "-q", *words]


def docker_build(folder: Path, first: str, step: str, tag: str, *options: str) -> list[str]:
    """Write a Dockerfile, and say how it is built."""
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {first}\nRUN {step}\n")
    return ["docker", "build", "--quiet", "--no-cache", *options, "--tag", tag, str(folder)]


class Ours:
    """The side that composes."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.blobs = LocalBlobs(place.config.work_dir / "images")

    def forget(self) -> None:
        """Keep the base's layers and the package files only."""
        base: set[str] = set()
        doomed: set[str] = set()
        for image in all_images(self.blobs):
            forget_image(self.blobs, image)
            for layer in image.layers:
                digest = str(layer.blob.digest)
                (base if layer.what == "base" else doomed).add(digest)
        for name in list(self.blobs.names("layers/")):
            text = (self.blobs.document(name) or b"").decode()
            if not any(digest in text for digest in base):
                self.blobs.delete(name)
        for blob in list(self.blobs.digests()):
            if str(blob) in doomed:
                self.blobs.remove(blob)
        store = LayerStore(self.place.private / "store")
        for stored in list(store.layers()):
            if stored.kind in _MADE:
                store.remove(stored)
        for answer in (self.place.private / "resolved").glob("*.json"):
            answer.unlink()


def warm_manifest(place: Workplace, packages: list[str]) -> float:
    """Seconds that it takes to find a finished image, from its name on."""
    blobs = LocalBlobs(place.config.work_dir / "images")
    seconds = []
    for _ in range(50):
        before = time.perf_counter()
        (request,) = read_name(place.config, "/".join(["base", *packages]), "stable")
        found = made_image(place, blobs, request)
        seconds.append(time.perf_counter() - before)
        assert found is not None
    return statistics.median(seconds)


def main() -> None:
    """Make everything ready, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", default=["gcc", "make", "libc6-dev"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    config = load_config(None, overrides={"images.always": "", "refresh.mode": "never"})
    place = Workplace(config=config, runner=choose("auto"), progress=Silent())
    ours = Ours(place)
    never = ("--set", "images.always=", "--set", "refresh.mode=never", "image", "build")
    making = lapstrake(*never, "base", *given.packages, "-b", "stable")
    base = lapstrake(*never, "base", "-b", "stable", "-o", f"docker-daemon:{_BASE}")
    for argv in (base, making):  # the package files are fetched, the base is packed
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    install = f"apt-get install -y --no-install-recommends {' '.join(given.packages)}"
    with tempfile.TemporaryDirectory() as scratch:
        download = f"apt-get update && {install} --download-only"
        first = docker_build(Path(scratch, "1"), _BASE, download, _PREPARED, "--network=host")
        subprocess.run(first, check=True, stdout=subprocess.DEVNULL)
        second = docker_build(
            Path(scratch, "2"), _PREPARED, install, "lapstrake-bench:made", "--network=none"
        )
        mine = command("lapstrake image build", making)
        mine.prepare = ours.forget
        contenders: list[Contender] = [mine, command("docker build", second)]
        race(contenders, rounds=given.rounds, warmup=0)
    report(f"an image of {' '.join(given.packages)}", contenders, as_json=given.json)
    subprocess.run(making, check=True, stdout=subprocess.DEVNULL)
    sharing = command(
        "a second image that shares its packages",
        lapstrake(*never, "base", *given.packages[:-1], "-b", "stable"),
    )
    race([sharing], rounds=1, warmup=0)
    report("the second image", [sharing], as_json=given.json)
    print(f"a manifest that is ready: {warm_manifest(place, given.packages) * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
