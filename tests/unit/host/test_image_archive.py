"""Layers as a tar: merged as overlayfs shows them."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from lapstrake.host.image_archive import write_archive, write_layer


def lay(tree: Path, names: dict[str, str | None]) -> str:
    """A layer tree; ``None`` is gone, ``(opaque)`` marks its folder."""
    for name, text in names.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.name == "(opaque)":
            try:
                os.setxattr(file.parent, "user.overlay.opaque", b"y")
            except OSError:
                pytest.skip("this file system has no user attributes")
        elif text is None:
            if os.geteuid() != 0:
                pytest.skip("devices need root")
            os.mknod(file, 0o20000, 0)
        else:
            file.write_text(text)
    return str(tree)


def members(trees: list[str]) -> dict[str, tarfile.TarInfo]:
    """What the layer of some trees holds."""
    buffer = io.BytesIO()
    write_layer(buffer, trees)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as tar:
        return {entry.name: entry for entry in tar if entry.name != "."}


def test_marks_become_names(tmp_path: Path) -> None:
    tree = lay(tmp_path / "a", {"d/(opaque)": None, "d/x": "1", "gone": None, "f": "2"})
    assert set(members([tree])) == {"d", "d/.wh..wh..opq", "d/x", ".wh.gone", "f"}


def test_merged_layers_are_what_overlayfs_shows(tmp_path: Path) -> None:
    lower = lay(
        tmp_path / "l", {"d/kept": "l", "d/gone": "l", "e/hidden": "l", "f": "l", "g/x": "l"}
    )
    middle = lay(tmp_path / "m", {"h": None})
    upper = lay(
        tmp_path / "u",
        {"d/gone": None, "e/(opaque)": None, "e/new": "u", "f/now": "u", "g": "u", "h/again": "u"},
    )
    assert set(members([lower, middle, upper])) == {
        "d", "d/.wh.gone", "d/kept", "e", "e/.wh..wh..opq", "e/new", "f", "f/.wh..wh..opq", "f/now",
        "g", "h", "h/.wh..wh..opq", "h/again",
    }  # fmt: skip


def test_links_modes_and_attributes_are_kept(tmp_path: Path) -> None:
    tree = Path(lay(tmp_path / "t", {"a/one": "x", "b/z": "y"}))
    os.link(tree / "a/one", tree / "b/two")
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "a/one").chmod(0o4751)
    try:
        os.setxattr(tree / "a/one", "user.note", b"a\0\xff")
    except OSError:
        pytest.skip("this file system has no user attributes")
    found = members([str(tree)])
    assert (found["a/one"].mode, found["a/one"].size) == (0o4751, 1)
    assert found["b/two"].islnk()
    assert found["b/two"].linkname == "a/one"
    assert found["link"].linkname == "/etc/passwd"
    value = found["a/one"].pax_headers["SCHILY.xattr.user.note"]
    assert value.encode("utf-8", "surrogateescape") == b"a\0\xff"


def test_an_archive_is_the_same_each_time(tmp_path: Path) -> None:
    tree = lay(tmp_path / "t", {"x": "1"})
    job = {
        "groups": [[tree], [tree]],
        "known": ["sha256:00"],
        "tag": "t:1",
        "labels": {"l": "v"},
        "architecture": "amd64",
    }
    archives = []
    for _ in range(2):
        buffer = io.BytesIO()
        write_archive(buffer, job)
        archives.append(buffer.getvalue())
    assert archives[0] == archives[1]
    with tarfile.open(fileobj=io.BytesIO(archives[0])) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        sizes = [tar.getmember(name).size for name in manifest["Layers"]]
    assert manifest["RepoTags"] == ["t:1"]
    assert config["rootfs"]["diff_ids"][0] == "sha256:00"
    assert sizes[0] == 0
    assert sizes[1] > 0
