"""`lapstrake env` and `lapstrake exec` of a project with a system and a toolchain, and start-up.

Needs neither root nor a network nor a cross compiler: only names of programs are looked at. Run it
where Python may write its compiled modules (no PYTHONDONTWRITEBYTECODE).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pairs import command, race, report

LAPSTRAKE = Path(sys.executable).with_name("lapstrake")
_TUPLE = "aarch64-linux-gnu"
_PACKAGE = """\
[package]
name = "{name}"
type = "{type}"
version = "1.0"
target = "{tuple}"
checksum = ["defconfig", "patches"]

[platform]
build = "{build}"
output = "out"
"""
_BUILDS = {
    "system": "mkdir -p out/staging/usr/lib",
    "toolchain": f"mkdir -p out/bin; echo : >out/bin/{_TUPLE}-gcc",
}
_PATCHES = 200


def make_project(folder: Path) -> None:
    """A project whose packages have as many inputs as Nerves' own, built where it is."""
    lines = ['[project]\nname = "bench"\n']
    for type_, build in _BUILDS.items():
        name = f"the_{type_}"
        package = folder / name
        (package / "patches").mkdir(parents=True)
        text = _PACKAGE.format(name=name, type=type_, build=build, tuple=_TUPLE)
        (package / "lapstrake.toml").write_text(text)
        (package / "defconfig").write_text("A=y\n" * 100)
        for number in range(_PATCHES):
            (package / f"patches/{number:04}.patch").write_text("+\n" * 1000)
        lines.append(f'[dependencies.{name}]\npath = "{name}"\n')
    (folder / "lapstrake.toml").write_text("\n".join(lines))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        make_project(project)
        environment = {**os.environ, "LAPSTRAKE_WORK_DIR": f"{scratch}/work"}
        os.chdir(project)
        build = [LAPSTRAKE, "artifact", "build", *(f"the_{type_}" for type_ in _BUILDS)]
        subprocess.run(build, env=environment, check=True)
        contenders = [
            command(name, [str(LAPSTRAKE), *words], env=environment)
            for name, words in (
                ("lapstrake env", ("env",)),
                ("lapstrake exec true", ("exec", "true")),
                ("lapstrake env --profile compiler", ("env", "--profile", "compiler")),
                ("lapstrake --version", ("--version",)),
            )
        ]
        race(contenders, rounds=options.rounds, warmup=2)
        report("the environment of a project", contenders, as_json=options.json)


if __name__ == "__main__":
    main()
