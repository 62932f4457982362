"""Changes folded into the tree below them, compared with what overlayfs shows of both."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lapstrake.host.fold import fold

_CHANGE = """
echo new > added; echo changed > kept/changed; rm kept/gone; rm -r dropped
rm -r remade; mkdir remade; echo fresh > remade/fresh
rm file; mkdir file; echo now > file/folder; rm -r folder; echo now > folder
mkdir -p deep/er; mv deep/a deep/er/b; chmod 700 deep; ln -s /etc link
touch -d @1000 kept/old
"""
_BELOW = """
mkdir kept dropped remade folder deep same
echo a > kept/changed; echo b > kept/gone; echo c > kept/same; echo d > kept/old
echo e > dropped/x; echo f > remade/x; echo g > file; echo h > folder/x; echo i > deep/a
ln kept/same same/second; ln -s nowhere same/link; mkdir same/empty; chmod 711 same/empty
"""


def _listing(folder: Path) -> str:
    script = "find . -printf '%p %y %m %U %G %l %s\\n' | sort; find . -type f | sort | xargs cat"
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def _shell(script: str, folder: Path) -> None:
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True)


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path, str]:
    """What was below, what was written over it, and what both together look like."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    for name in ("lower/nerves/build", "upper", "work", "seen"):
        (tmp_path / name).mkdir(parents=True)
    _shell(_BELOW, lower / "nerves/build")
    script = (
        "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work seen\n"
        f"cd seen/nerves/build\n{_CHANGE}\n"
        f"find . -printf '%p %y %m %U %G %l %s\\n' | sort; find . -type f | sort | xargs cat"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no overlay can be mounted: {done.stderr}")
    return lower, upper, done.stdout


def _folder_sizes_apart(listing: str) -> list[str]:
    """Sizes of folders depend on their history."""
    return [
        line.rsplit(" ", 1)[0] if line.split(" ")[1:2] == ["d"] else line
        for line in listing.splitlines()
    ]


def test_the_new_tree_is_what_was_seen(trees: tuple[Path, Path, str], tmp_path: Path) -> None:
    lower, upper, seen = trees
    before = _listing(lower)
    target = tmp_path / "target"
    fold("nerves/build", str(lower), str(upper), str(target))

    made = target / "nerves/build"
    assert _folder_sizes_apart(_listing(made)) == _folder_sizes_apart(seen)
    assert (made / "kept/same").samefile(lower / "nerves/build/kept/same")  # no copy
    assert (made / "kept/old").stat().st_mtime == 1000
    assert _listing(lower) == before
    assert not [name for name in ("kept", "remade", "file") if os.listxattr(made / name)]


def test_without_anything_below(tmp_path: Path) -> None:
    (tmp_path / "changes/a/b").mkdir(parents=True)
    (tmp_path / "changes/a/b/file").write_text("x")
    (tmp_path / "changes/other").mkdir()
    fold("a/b", "", str(tmp_path / "changes"), str(tmp_path / "target"))
    assert sorted(str(p.relative_to(tmp_path)) for p in (tmp_path / "target").rglob("*")) == [
        "target/a", "target/a/b", "target/a/b/file",
    ]  # fmt: skip


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_a_link_in_the_folders_place_is_refused(tmp_path: Path, link: str) -> None:
    place = tmp_path / "changes" / link
    place.parent.mkdir(parents=True)
    (tmp_path / "elsewhere/b").mkdir(parents=True)
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        fold("a/b", "", str(tmp_path / "changes"), str(tmp_path / "target"))
    assert (tmp_path / "elsewhere/b").is_dir()
