"""The last layer is made by root of the host of what packages' scripts wrote: nothing gets out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from lapstrake.image.remainder import Job, make_remainder
from lapstrake.image.sources.branch import _documented

_STATUS = "Package: one\nArchitecture: all\nStatus: install ok installed\n"
_DPKG = "var/lib/dpkg"
_HOST_TEXT = "root 0 0 secret /nowhere\n"


class Root:
    """Trees of a base, of two packages and of what configuring them wrote; and the host's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = folder / "host"
        self.host.mkdir()
        self.secret = self.host / "secret"
        self.secret.write_text(_HOST_TEXT)
        self.base, self.one, self.two, self.written = (
            folder / name for name in ("base", "one", "two", "written")
        )
        for tree in (self.base, self.one, self.two, self.written):
            (tree / _DPKG / "info").mkdir(parents=True)
        for tree in (self.base, self.written):
            (tree / _DPKG / "status").write_text(_STATUS)

    def make(self, *, below: Sequence[Path] = (), settled: Sequence[Path] = ()) -> Path:
        """Make the last layer."""
        target = self.folder / "made"
        job = Job(
            whole=[str(tree) for tree in (self.base, self.written) if tree not in below],
            packages=[str(self.one), str(self.two)],
            settled=[str(tree) for tree in settled],
            below=[str(tree) for tree in below],
            names=["one", "one:all", "two", "two:all"],
            time=1,
            target=str(target),
        )
        make_remainder(job)
        return target


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


@pytest.mark.parametrize(
    "name",
    [f"{_DPKG}/{name}" for name in ("status", "statoverride", "diversions", "alternatives/editor",
                                    "triggers/File", "triggers/Unincorp", "triggers/other")]
    + ["etc/shadow", "etc/ld.so.cache", f"{_DPKG}/info/three.list"],
)  # fmt: skip
def test_texts_that_are_links_are_neither_read_nor_written(root: Root, name: str) -> None:
    path = root.written / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(root.secret)
    (root.one / name).parent.mkdir(parents=True, exist_ok=True)
    made = root.make()
    assert root.secret.read_text() == _HOST_TEXT
    for file in made.rglob("*"):
        assert file.is_symlink() or not file.is_file() or "secret" not in file.read_text()


@pytest.mark.parametrize("name", [f"{_DPKG}/statoverride", "etc/shadow", "etc/ld.so.cache"])
def test_texts_that_are_fifos_keep_nobody_waiting(root: Root, name: str) -> None:
    path = root.written / name
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    (root.one / name).parent.mkdir(parents=True, exist_ok=True)
    root.make()


@pytest.mark.parametrize("on_base", [False, True])
def test_nothing_is_written_through_a_link_in_place_of_a_folder(root: Root, on_base: bool) -> None:
    for tree, text in ((root.one, "one"), (root.two, "the other")):
        (tree / "opt/shared").mkdir(parents=True)
        (tree / "opt/shared/file").write_text(text)
    (root.one / "opt/lost").mkdir()
    (root.one / "opt/lost/file").write_text("lost")
    (root.written / "opt").mkdir()
    for name in ("shared", "lost"):
        (root.written / "opt" / name).symlink_to(root.host)
    made = root.make(below=[root.base] if on_base else [], settled=[root.one])
    assert [file.name for file in root.host.iterdir()] == ["secret"]
    assert (made / "opt/shared").is_symlink()


def test_what_a_base_has_behind_a_link_is_not_taken(root: Root) -> None:
    (root.base / "var/away").symlink_to(root.host)
    for tree, mode in ((root.one, 0o755), (root.two, 0o700)):
        (tree / "var/away").mkdir(parents=True)
        (tree / "var/away/secret").write_text("mine")
        (tree / "var/away/secret").chmod(mode)
    made = root.make(below=[root.base])
    assert (made / "var/away/secret").read_text() == "mine"


def test_no_time_of_the_host_gets_into_an_image(root: Root) -> None:
    documents = root.one / "usr/share/doc"
    (documents / "one").mkdir(parents=True)
    (documents / "one/changelog").touch()
    os.utime(documents / "one/changelog", (100, 100))
    (documents / "away").symlink_to(root.host)
    assert _documented(root.one) == 100
    (root.two / "usr").mkdir()
    (root.two / "usr/share").symlink_to(root.one / "usr/share")
    assert _documented(root.two) == 0
