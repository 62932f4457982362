"""A warm build of Debian's `tree`, against bare dpkg-buildpackage and against sbuild.

All three start from the same downloaded source. `dpkg-buildpackage` runs in a root that is mounted
already, with the dependencies installed: the floor for any builder. sbuild runs as the user given
with --user, in its unshare mode, from a root tarball made here with mmdebstrap; its way of working
is to unpack that and to install the dependencies for every build.

Needs root (for mounts), and the program sbuild for the second comparison.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pairs import Contender, command, race, report

LAPSTRAKE = Path(sys.executable).with_name("lapstrake")


def warm(env: dict[str, str], package: str) -> dict[str, object]:
    """Build once, so that everything is in the store; gives the record."""
    done = subprocess.run(
        [LAPSTRAKE, "-q", "build", "--json", f"apt:{package}", "stable"],
        env=env, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    record: dict[str, object] = json.loads(done.stdout)
    return record


@contextlib.contextmanager
def mounted(work_dir: Path, inputs: dict[str, Any], scratch: Path) -> Iterator[Path]:
    """The build's own stack, mounted for as long as the block runs."""
    layers = work_dir / ".builder/store/layers"
    keys = [inputs["base"], inputs["instance"], *inputs["layers"]]
    for name in ("upper", "work", "root", "links"):
        (scratch / name).mkdir()
    for number, key in enumerate(keys):  # mount(2) takes one page of options
        (scratch / "links" / str(number)).symlink_to(layers / key / "tree")
    lower = ":".join(str(number) for number in reversed(range(len(keys))))
    options = f"lowerdir={lower},upperdir={scratch}/upper,workdir={scratch}/work,volatile"
    root = scratch / "root"
    mount = ["mount", "-t", "overlay", "-o", options, "overlay", root]
    subprocess.run(mount, cwd=scratch / "links", check=True)
    for name in ("proc", "dev"):
        subprocess.run(["mount", "--rbind", f"/{name}", root / name], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", "-R", root], check=True)


def bare(root: Path, dsc: Path) -> Contender:
    """dpkg-buildpackage alone, in a fresh copy of the unpacked source each time."""
    (root / "src").mkdir()
    subprocess.run(
        ["dpkg-source", "-x", dsc, root / "src/pristine"], check=True, capture_output=True
    )
    build = "cd /src && rm -rf t && cp -a pristine t && cd t && exec dpkg-buildpackage -us -uc -b"
    return command("dpkg-buildpackage alone", ["chroot", str(root), "sh", "-c", build])


def sbuild(dsc: Path, user: str, scratch: Path, codename: str) -> Contender:
    """sbuild in its unshare mode, as an unprivileged user with subordinate ids."""
    tarball = scratch / "sbuild.tar"
    subprocess.run(["mmdebstrap", "--variant=buildd", "--quiet", codename, tarball], check=True)
    tarball.chmod(0o644)
    place = scratch / "sbuild"
    place.mkdir()
    shutil.chown(place, user)
    argv = [
        "runuser", "-u", user, "--", "env", f"--chdir={place}", "sbuild", "--chroot-mode=unshare",
        f"--chroot={tarball}", f"--dist={codename}", "--no-run-lintian", "--no-run-autopkgtest",
        "--no-run-piuparts", "--batch", str(dsc),
    ]  # fmt: skip
    return command("sbuild --chroot-mode=unshare", argv)


def main() -> None:
    """Warm up, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", default="tree")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--user", default="", help="for sbuild; left out when empty")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lapstrake-bench-", dir="/var/tmp") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        work_dir = Path(os.environ.get("LAPSTRAKE_WORK_DIR", scratch / "work"))
        env = {**os.environ, "LAPSTRAKE_WORK_DIR": str(work_dir)}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        record = warm(env, arguments.package)
        inputs = record["inputs"]
        assert isinstance(inputs, dict)
        source = scratch / "source"
        source.mkdir()
        fetch(work_dir, env, arguments.package, source)
        (dsc,) = source.glob("*.dsc")
        build = [str(LAPSTRAKE), "-q", "build", f"apt:{arguments.package}", "stable"]
        contenders = [command(f"lapstrake build apt:{arguments.package}", build, env=env)]
        with mounted(work_dir, inputs, scratch) as root:
            contenders.append(bare(root, dsc))
            if arguments.user:
                codename = os.environ.get("CODENAME") or host_codename()
                contenders.append(sbuild(dsc, arguments.user, scratch, codename))
            race(contenders, rounds=arguments.rounds)
        report(f"a warm build of {arguments.package}", contenders, as_json=arguments.json)


def fetch(work_dir: Path, env: dict[str, str], package: str, target: Path) -> None:
    """Copy the package's source files, under their own names, out of a kept workspace."""
    done = subprocess.run(
        [LAPSTRAKE, "-q", "build", "--keep", "--json", "--no-publish", f"apt:{package}", "stable"],
        env=env, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    kept = work_dir / "kept" / json.loads(done.stdout)["id"]
    staged = kept / "upper/buildroot/build"
    for file in staged.iterdir():
        if file.is_file():
            shutil.copy(file, target)
    shutil.rmtree(kept)


def host_codename() -> str:
    """The codename in /etc/os-release."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    sys.exit("the host does not say its codename; set CODENAME")


if __name__ == "__main__":
    main()
