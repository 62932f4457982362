"""Staging: archives, files and checkouts side by side, and never outside."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from lapstrake.errors import BundleError
from lapstrake.names import Digest
from lapstrake.source.job import Fetched
from lapstrake.source.spec import SourceKind, SourceSpec
from lapstrake.source.stage import fetched_names, stage
from lapstrake.source.tree_tar import write_tree_tar


def fetched(path: Path, kind: SourceKind, name: str, below: str = "") -> Fetched:
    data = path.read_bytes()
    path.chmod(0o444)
    spec = SourceSpec(kind=kind, url="u", name=name, path=below, origin="spec:2")
    return Fetched(
        spec=spec, path=path, size=len(data), from_cache=True,
        digest=Digest("sha256", hashlib.sha256(data).hexdigest()),
    )  # fmt: skip


def tarball(path: Path, **content: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in content.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "main.c").write_text("int main;")
    (tree / "empty").mkdir()
    (tree / "absolute").symlink_to("/usr/share/x")
    write_tree_tar(tree, tmp_path / "tree.tar", mtime=1_000_000_000)
    return tmp_path / "tree.tar"


def test_everything_side_by_side(tmp_path: Path, checkout: Path) -> None:
    archive = tarball(tmp_path / "a", **{"hello-1__src__x.c": "x"})
    plain = tmp_path / "plain"
    plain.write_text("text")
    sources = [
        fetched(archive, SourceKind.ARCHIVE, "1.bin"),
        fetched(plain, SourceKind.FILE, "notes.txt"),
        fetched(plain, SourceKind.FILE, "notes.txt", "hello-1/doc"),
        fetched(checkout, SourceKind.GIT, "module", "hello-1/lib"),
    ]
    root = tmp_path / "buildroot"
    assert stage(sources, root) == PurePosixPath("build/hello-1")
    assert (root / "1.bin").read_bytes() == archive.read_bytes()
    assert (root / "build/hello-1/src/x.c").read_text() == "x"
    assert (root / "build/notes.txt").read_text() == "text"
    assert (root / "build/hello-1/doc/notes.txt").read_text() == "text"
    assert str((root / "build/hello-1/lib/module/absolute").readlink()) == "/usr/share/x"
    assert (root / "build/hello-1/lib/module/empty").is_dir()
    assert fetched_names([source.spec for source in sources]) == ("1.bin", "notes.txt", "notes.txt")


def test_a_build_may_change_what_it_gets(tmp_path: Path) -> None:
    archive = tarball(tmp_path / "a", hello__x="x")
    before = archive.read_bytes()
    stage([fetched(archive, SourceKind.ARCHIVE, "1.bin")], tmp_path / "root")
    (tmp_path / "root" / "1.bin").write_bytes(b"changed")
    assert archive.read_bytes() == before


def test_the_folder_to_build_in(tmp_path: Path, checkout: Path) -> None:
    one = fetched(tarball(tmp_path / "a", one__x="x"), SourceKind.ARCHIVE, "1.bin")
    two = fetched(checkout, SourceKind.GIT, "two")
    with pytest.raises(BundleError, match="2 folders"):
        stage([one, two], tmp_path / "root1")
    assert stage([one, two], tmp_path / "root2", subdir="two") == PurePosixPath("build/two")
    assert stage([one, two], tmp_path / "root3", subdir=".") == PurePosixPath("build")
    assert stage([], tmp_path / "root4") == PurePosixPath("build")


@pytest.mark.parametrize(
    ("name", "below"), [("../x", ""), ("/etc/x", ""), ("x", "../.."), ("x", "/")]
)
def test_names_stay_inside(tmp_path: Path, name: str, below: str) -> None:
    plain = tmp_path / "plain"
    plain.write_text("text")
    with pytest.raises(BundleError, match="spec:2"):
        stage([fetched(plain, SourceKind.FILE, name, below)], tmp_path / "root")


def test_nothing_goes_through_a_link_of_a_checkout(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "victim").mkdir()
    (tree / "out").symlink_to(tmp_path / "victim")
    write_tree_tar(tree, tmp_path / "t", mtime=0)
    plain = tmp_path / "plain"
    plain.write_text("text")
    evil = [
        fetched(tmp_path / "t", SourceKind.GIT, "g"),
        fetched(plain, SourceKind.FILE, "file", "g/out"),
    ]
    with pytest.raises(BundleError, match="through a link"):
        stage(evil, tmp_path / "root")
    assert not list((tmp_path / "victim").iterdir())


def test_the_tar_of_a_tree_depends_on_its_content_only(tmp_path: Path) -> None:
    digests = set()
    for mode, order in ((0o600, ["b", "a"]), (0o640, ["a", "b"])):
        tree = tmp_path / "-".join(order)
        tree.mkdir()
        for name in order:
            (tree / name).write_text(name)
            (tree / name).chmod(mode)
        digests.add(write_tree_tar(tree, tmp_path / "t", mtime=5))
    assert len(digests) == 1
    (tree / "a").chmod(0o755)
    assert write_tree_tar(tree, tmp_path / "t", mtime=5) not in digests
