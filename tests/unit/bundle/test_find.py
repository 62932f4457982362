"""Finding bundles by what a user types, and reading what was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.bundle.base import BundleFormat
from lapstrake.bundle.debian_uris import SourcePackageRequest
from lapstrake.bundle.find import BundleLocation, find
from lapstrake.bundle.read import ReadOptions, read
from lapstrake.errors import BundleError, UsageError
from lapstrake.names import Arch
from pythons import said_by

NATIVE = '[package]\nname = "greet"\nversion = "1"\ndescription = "greets"\n'
CONTROL = """\
Source: sample
Maintainer: Ada Lovelace <ada@example.org>

Package: sample
Architecture: any
Build-Profiles: <!stage1>
Description: a sample
"""
CHANGELOG = """\
sample (1-1) unstable; urgency=medium

  * Release.

 -- Ada Lovelace <ada@example.org>  Fri, 10 Dec 2021 10:10:10 +0000
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a bundle of each format."""
    top = tmp_path / "tree"
    write(top / "app-utils/greet/lapstrake.toml", NATIVE)
    write(top / "app-utils/sample/debian/control", CONTROL)
    write(top / "app-utils/sample/debian/changelog", CHANGELOG)
    write(top / "app-utils/sample/debian/rules", "")
    write(top / "app-devel/hello/spec", "VER=2.10\nDUMMYSRC=1\n")
    defines = "PKGNAME=hello\nPKGSEC=utils\nPKGDES='greets'\n"
    write(top / "app-devel/hello/autobuild/defines", defines)
    return top


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def place(text: str, cwd: Path, *trees: Path) -> BundleLocation:
    found = find(text, trees=trees, cwd=cwd)
    assert isinstance(found, BundleLocation)
    return found


@pytest.mark.parametrize(
    ("text", "format_", "folder"),
    [
        ("app-utils/greet", BundleFormat.NATIVE, "app-utils/greet"),
        ("./app-utils/greet/", BundleFormat.NATIVE, "app-utils/greet"),
        ("app-utils/greet/lapstrake.toml", BundleFormat.NATIVE, "app-utils/greet"),
        ("app-utils/../app-utils/sample", BundleFormat.DEBIAN, "app-utils/sample"),
        ("app-devel/hello", BundleFormat.AOSC, "app-devel/hello"),
        ("app-devel/hello/spec", BundleFormat.AOSC, "app-devel/hello"),
    ],
)
def test_paths(tree: Path, text: str, format_: BundleFormat, folder: str) -> None:
    found = place(text, tree)
    assert found == BundleLocation(format=format_, path=tree / folder)
    assert place(str(tree / text), Path("/")) == found


def test_the_current_folder_and_a_dsc(tree: Path, tmp_path: Path) -> None:
    assert place(".", tree / "app-utils/greet").path == tree / "app-utils/greet"
    (tmp_path / "x_1.dsc").write_text("")
    found = place("x_1.dsc", tmp_path)
    assert found == BundleLocation(format=BundleFormat.DEBIAN, path=tmp_path / "x_1.dsc")


def test_names_in_trees(tree: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    found = place("hello", empty, empty, tree)
    assert found == BundleLocation(
        format=BundleFormat.AOSC, path=tree / "app-devel/hello", address="app-devel/hello"
    )
    (empty / "hello").mkdir()  # a folder of that name without a bundle is not in the way
    assert place("hello", empty, tree) == found
    write(empty / "hello/lapstrake.toml", NATIVE)  # but a bundle is what is meant
    assert place("hello", empty, tree).path == empty / "hello"


def test_earlier_trees_win(tree: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine/app/hello/lapstrake.toml", NATIVE)
    assert place("hello", tmp_path, tmp_path / "mine", tree).format is BundleFormat.NATIVE
    assert place("hello", tmp_path, tree, tmp_path / "mine").format is BundleFormat.AOSC


def test_source_packages(tmp_path: Path) -> None:
    (tmp_path / "apt:hello").mkdir()  # even then
    found = find("apt:hello=2.10-3", trees=(), cwd=tmp_path)
    assert found == SourcePackageRequest(name="hello", version="2.10-3")


@pytest.mark.parametrize(
    ("text", "problem", "resolution"),
    [
        ("helo", "there is no bundle 'helo'", "app-devel/hello"),
        ("zzzz", "there is no bundle 'zzzz'", "apt:NAME"),
        ("app-utils", "app-utils holds no bundle", "lapstrake.toml, spec or debian/control"),
        ("./helo", "helo does not exist", "apt:NAME"),
        ("helo.dsc", "helo.dsc does not exist", "apt:NAME"),
        ("notes.txt", "notes.txt is not a bundle", "apt:NAME"),
        (" ", "is empty", "apt:NAME"),
        ("apt:Hello World", "does not name a source package", "apt:NAME=VERSION"),
    ],
)
def test_what_is_not_found(tree: Path, text: str, problem: str, resolution: str) -> None:
    (tree / "notes.txt").write_text("")
    with pytest.raises(BundleError) as caught:
        find(text, trees=[tree], cwd=tree)
    assert problem in caught.value.brief
    assert resolution in caught.value.resolution


def test_without_trees(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no tree is configured to look for 'hello' in"):
        find("hello", trees=(), cwd=tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        find("hello", trees=[tmp_path / "nowhere"], cwd=tmp_path)


def test_ambiguous_names_are_told(tree: Path) -> None:
    write(tree / "other/greet/lapstrake.toml", NATIVE)
    with pytest.raises(BundleError, match="names 2 bundles") as caught:
        find("greet", trees=[tree], cwd=tree)
    assert "other/greet" in caught.value.details


@pytest.mark.parametrize("name", ["greet", "sample", "hello"])
def test_every_format_is_read(tree: Path, tmp_path: Path, name: str) -> None:
    location = place(name, tmp_path, tree)
    bundle = read(location, arch=Arch.AMD64)
    assert (bundle.name, bundle.format, bundle.path) == (name, location.format, location.path)


def test_options_reach_their_reader(tree: Path) -> None:
    options = ReadOptions(profiles=("stage1",), maintainer="M <m@example.org>")
    with pytest.raises(BundleError, match="no package is built"):
        read(place("app-utils/sample", tree), arch=Arch.AMD64, options=options)
    bundle = read(place("app-utils/greet", tree), arch=Arch.AMD64, options=options)
    assert b"Maintainer: M <m@example.org>\n" in bundle.files["outputs/10-greet/control"]


def test_finding_loads_no_heavy_module(tree: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "import lapstrake.bundle.read\nfrom lapstrake.bundle.find import find\n"
        "find('hello', trees=[Path(sys.argv[1])], cwd=Path('/'))\n"
        "print([name for name in ('pydantic', 'debian', 'tomlkit') if name in sys.modules])\n"
    )
    assert said_by(script, tree) == "[]\n"


@pytest.mark.parametrize("folder", ["autobuild", "01-hello"])
def test_a_missing_spec_is_named(tmp_path: Path, folder: str) -> None:
    write(tmp_path / "hello" / folder / "defines", "PKGNAME=hello\n")
    for text in ("./hello", "hello"):
        with pytest.raises(BundleError, match="it has a defines, but no spec") as refusal:
            place(text, tmp_path)
        assert "needs a file spec" in refusal.value.resolution
