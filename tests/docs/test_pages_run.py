"""Every command that the README and the documentation show, run as a rootless user runs it.

All pages share one work folder and run one after the other, in the order of their names; each has
a home and a working directory of its own with the project's ``examples/``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pages import PROJECT, Page, new_mark, read_page
from roots import cli_command, cli_environment, clone, once

_MOST_OMITTED = 18
_SECONDS = 900


def _pages() -> list[Page]:
    """The README, then docs/; what cleans up comes last."""
    readmes = [PROJECT / "README.md", PROJECT / "examples" / "README.md"]
    files = [*readmes, *sorted((PROJECT / "docs").rglob("*.md"))]
    pages = [read_page(file) for file in files]
    return sorted(pages, key=lambda page: page.path.stem == "clean-up")


def _name(page: Page) -> str:
    return str(page.path.relative_to(PROJECT))


@pytest.fixture
def reader(rootless_work_dir: tuple[str, Path]) -> Iterator[tuple[str, Path]]:
    """A rootless user, and a folder of theirs with a work folder that has a base OS.

    One page at a time, whichever worker has it.
    """
    user, shared = rootless_work_dir
    folder = shared.parent / "docs"
    with once(shared.parent, "docs.made") as wanted:
        if wanted:
            folder.mkdir()
            work_dir = clone(shared, folder / "work")
            shutil.rmtree(work_dir / "conf")  # readers begin without a configuration
            _give(work_dir, user)
        yield user, folder


@pytest.mark.parametrize("page", [page for page in _pages() if page.steps], ids=_name)
def test_a_page_does_what_it_shows(page: Page, reader: tuple[str, Path]) -> None:
    user, folder = reader
    desk = folder / _name(page).replace("/", "-")
    (desk / "bin").mkdir(parents=True)
    shutil.rmtree(folder / "work" / "farm", ignore_errors=True)  # each page has a farm of its own
    shutil.copytree(PROJECT / "examples", desk / "examples")
    _program(desk / "bin" / "lapstrake", f'exec {" ".join(cli_command(user=user))} "$@"')
    _program(desk / "dev", '[ "$1" = lapstrake ] && shift && exec lapstrake "$@"')
    _give(desk, user)
    mark = new_mark()
    done = subprocess.run(
        ["bash", "-s"],
        input=f"exec 2>&1\n{page.script(mark)}",
        cwd=desk,
        env=_environment(folder, desk, user),
        user=user,
        group=pwd.getpwnam(user).pw_gid,
        extra_groups=[],
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=_SECONDS,
    )
    told = list(page.complaints(done.stdout, mark))
    assert not told, "\n\n".join(told)


def test_few_blocks_are_not_run() -> None:
    omitted = [(_name(page), *block) for page in _pages() for block in page.omitted]
    assert len(omitted) <= _MOST_OMITTED, omitted


def _give(folder: Path, user: str) -> None:
    """Make a folder the user's own, but for the content of layers, which has its own owners."""
    account = pwd.getpwnam(user)
    for place, names, files in os.walk(folder):
        if Path(place).parent.name == "layers":
            names.remove("tree")
        for path in (Path(place), *(Path(place, file) for file in files)):
            os.lchown(path, account.pw_uid, account.pw_gid)


def _program(file: Path, line: str) -> None:
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def _environment(folder: Path, desk: Path, user: str) -> Mapping[str, str]:
    seen = cli_environment(folder / "work", user=user)
    return {
        **seen,
        "HOME": str(desk),
        "PATH": f"{desk / 'bin'}{os.pathsep}{seen['PATH']}",
        "LAPSTRAKE_DL_DIR": str(folder / "work" / "downloads"),
    }
