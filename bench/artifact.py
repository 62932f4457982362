"""Artifacts: finding a kept one, unpacking an archive against tar, summing files against sha256sum.

The archive is made of this host's own files; on a disk that is slower than the processor both
unpackers wait for it, so ``--scratch`` may name a tmpfs.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pairs import Contender, command, race, report

from lapstrake.artifact.archives.unpack import unpack_archive
from lapstrake.artifact.base import Package, PackageType
from lapstrake.artifact.inputs.checksum import source_checksum

LAPSTRAKE = str(Path(sys.executable).with_name("lapstrake"))
FILES = 20_000
TREES = ["usr/lib/gcc", "usr/include", "usr/lib/x86_64-linux-gnu", "usr/bin"]
PACKERS = {
    "gz": ["gzip", "-6"],
    "xz": ["xz", "-1", "--threads=2", "--block-size=16MiB"],
    "zst": ["zstd", "-3"],
}


def bench_get(scratch: Path, rounds: int, *, as_json: bool) -> None:
    """A cached get over start-up: at most 20 ms more."""
    project = scratch / "project"
    project.mkdir()
    (project / "lapstrake.toml").write_text(
        '[package]\nname = "tool"\ntype = "package"\nversion = "1.0"\nchecksum = ["data"]\n'
    )
    (project / "data").write_text("data")
    made = project / "made"
    made.mkdir()
    (made / "file").write_text("made")
    env = {
        **os.environ, "LAPSTRAKE_WORK_DIR": str(scratch / "work"), "HOME": str(scratch),
        "LAPSTRAKE_DL_DIR": str(scratch / "dl"), "TOOL": "",
    }  # fmt: skip
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    (scratch / "dl").mkdir()
    package = Package(
        name="tool", type=PackageType.PACKAGE, version="1.0", folder=project, checksum=("data",)
    )
    short = source_checksum(package)[:7]
    host = f"linux_{os.uname().machine}"
    archive = scratch / "dl" / f"tool-{host}-1.0-{short}.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", project, "made"], check=True)
    words = ["sh", "-c", f'cd "{project}" && exec "{LAPSTRAKE}" artifact get']
    version = ["sh", "-c", f'cd "{project}" && exec "{LAPSTRAKE}" --version']
    contenders = [
        command("lapstrake artifact get, kept", words, env=env),
        command("lapstrake --version", version, env=env),
    ]
    race(contenders, rounds=rounds * 5, warmup=2)
    report("a kept artifact", contenders, as_json=as_json)
    if not as_json:
        get, start = contenders
        wall = get.median - start.median
        busy = get.median_processor - start.median_processor
        print(f"  over start-up: {wall * 1000:.1f} ms, processor {busy * 1000:.1f} ms")


def bench_unpack(scratch: Path, kind: str, trees: list[str], rounds: int, *, as_json: bool) -> None:
    """An archive, by us and by tar with the same compressor."""
    archive = scratch / f"x.tar.{kind}"
    words = ["tar", "-c", "--ignore-failed-read", "--transform=s,^,top/,S", "-C", "/", *trees]
    with archive.open("wb") as file:
        tar = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        subprocess.run(PACKERS[kind], stdin=tar.stdout, stdout=file, check=True)
        tar.wait()
    target = scratch / "target"

    def clean() -> None:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()

    extract = ["tar", "-xf", str(archive), "-C", str(target), "--strip-components=1"]
    contenders = [
        Contender(name="ours", run=functools.partial(unpack_archive, archive, target)),
        command("tar -x", extract),
    ]
    for contender in contenders:
        contender.prepare = clean
    race(contenders, rounds=rounds)
    clean()
    megabytes = archive.stat().st_size // 1_000_000
    report(f"unpacking .tar.{kind} of {megabytes} MB", contenders, as_json=as_json)
    archive.unlink()


def bench_checksum(scratch: Path, rounds: int, *, as_json: bool) -> None:
    """The checksum of many files, against sha256sum over them."""
    chance, folder = random.Random(1), scratch / "package"
    for number in range(FILES):
        file = folder / "src" / f"d{number % 40}" / f"e{number % 400}" / f"f{number}.c"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(min(200_000, int(chance.lognormvariate(8, 1.3)))))
    package = Package(
        name="p", type=PackageType.PACKAGE, version="1", folder=folder, checksum=("src",)
    )
    theirs = ["sh", "-c", 'find "$1" -type f -print0 | xargs -0 sha256sum', "sh", str(folder)]
    contenders = [
        Contender(name="ours", run=functools.partial(source_checksum, package)),
        command("sha256sum", theirs),
    ]
    race(contenders, rounds=rounds)
    size = sum(file.stat().st_size for file in folder.rglob("*.c")) // 1_000_000
    report(f"the checksum of {FILES} files, {size} MB", contenders, as_json=as_json)


def main() -> None:
    """Run what was asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("get", "unpack", "checksum"))
    parser.add_argument("--kinds", nargs="*", default=["gz", "zst"], choices=tuple(PACKERS))
    parser.add_argument("--trees", nargs="*", default=TREES)
    parser.add_argument("--scratch", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    wanted = [arguments.only] if arguments.only else ["get", "unpack", "checksum"]
    with tempfile.TemporaryDirectory(prefix="lapstrake-bench-", dir=arguments.scratch) as name:
        scratch = Path(name)
        if "get" in wanted:
            bench_get(scratch, arguments.rounds, as_json=arguments.json)
        if "checksum" in wanted:
            bench_checksum(scratch, arguments.rounds, as_json=arguments.json)
        for kind in arguments.kinds if "unpack" in wanted else ():
            bench_unpack(scratch, kind, arguments.trees, arguments.rounds, as_json=arguments.json)


if __name__ == "__main__":
    main()
