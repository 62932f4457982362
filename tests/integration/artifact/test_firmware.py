"""``lapstrake firmware``: a system's own script packs a real file system."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cross_project import CrossProject, make_project, needs_cross_tools
from roots import Completed

_FIRMWARE = """
[firmware]
release = "rel"
overlays = ["one", "two"]
priorities = "order"
post_script = "after.sh"
squashfs_flags = ["-no-xattrs", "-all-root"]
author = "The $ea"
"""
_SCRIPT = """\
#!/usr/bin/env bash
set -e
while getopts "a:c:f:p:s:" option; do
    case $option in
        a) overlays="$overlays $OPTARG" ;;
        c) config=$OPTARG ;;
        f) output=$OPTARG ;;
        p) priorities=$OPTARG ;;
        s) post=$OPTARG ;;
        *) exit 64 ;;
    esac
done
shift $((OPTIND - 1))
root=$MIX_BUILD_PATH/root
mkdir -p "$root/srv"
cp -R "$1/." "$root/srv"
for overlay in $overlays; do cp -R "$overlay/." "$root"; done
env | grep -E '^(NERVES_FW|CC=)' | sort > "$root/environment"
cp "$config" "$root/config"
[ ! -e "$root/srv/fail" ] || { echo "going to fail"; printf half > "$output"; exit 5; }
[ ! -e "$root/srv/forget" ] || exit 0
mksquashfs "$root" "$output" -quiet -no-progress -sort "$priorities" $NERVES_MKSQUASHFS_FLAGS
[ -z "$post" ] || "$post" "$output"
"""


@pytest.fixture(scope="module")
def got(tmp_path_factory: pytest.TempPathFactory) -> CrossProject:
    needs_cross_tools("mksquashfs", "unsquashfs")
    system = {"scripts/rel2fw.sh": _SCRIPT, "images/fwup.conf": "# none\n"}
    made = make_project(tmp_path_factory.mktemp("fw"), more=_FIRMWARE, system_files=system)
    done = made.run("artifact", "get")
    assert done.ok, done.stderr
    return made


@pytest.fixture
def project(got: CrossProject) -> CrossProject:
    """The project with all that is packed as it should be, and no firmware."""
    for name in ("rel", "one", "two", ".nerves"):
        subprocess.run(["rm", "-rf", got.folder / name], check=True)
    _write(got, **{
        "rel/app": "v1", "one/etc/name": "one", "two/etc/name": "two", "two/root/": "",
        "order": "srv/app 100\n", "after.sh": "#!/bin/sh\necho after >&2\n",
    })  # fmt: skip
    (got.folder / "after.sh").chmod(0o755)
    return got


def _write(project: CrossProject, **files: str) -> None:
    for name, text in files.items():
        path = project.folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _image(project: CrossProject) -> Path:
    return project.folder / ".nerves/images/blinky.fw"


def _left(project: CrossProject) -> list[str]:
    """What is there below the project's own folder, but the firmware."""
    found = (project.folder / ".nerves").rglob("*")
    return [str(path) for path in found if path.name not in ("images", "blinky.fw")]


def test_it_packs(project: CrossProject) -> None:
    done = project.run("firmware")
    assert done.ok, done.stderr
    assert done.stdout == f"{_image(project)}\n"
    assert "after" in done.stderr

    def content(name: str) -> str:
        words = ["unsquashfs", "-cat", str(_image(project)), name]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    assert content("srv/app") == "v1"
    assert content("etc/name") == "two"
    assert content("config") == "# none\n"
    lines = content("environment").splitlines()
    assert lines[0].endswith("aarch64-lapstrake-linux-gnu-gcc")
    assert lines[1:] == [
        "NERVES_FW_AUTHOR=The $ea",
        "NERVES_FW_DESCRIPTION=",
        "NERVES_FW_PRODUCT=blinky",
        "NERVES_FW_VERSION=1.2.3",
    ]
    assert _left(project) == []


def test_another_release_and_output(project: CrossProject, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    done = project.run("firmware", str(tmp_path / "other"), "-o", str(tmp_path / "new/out.fw"))
    assert done.ok, done.stderr
    assert (tmp_path / "new/out.fw").stat().st_size > 0


def test_the_old_firmware_stays_when_packing_fails(project: CrossProject) -> None:
    assert project.run("firmware").ok
    before = _image(project).read_bytes()
    for word, said in (("fail", "status 5"), ("forget", "left no firmware")):
        _write(project, **{f"rel/{word}": ""})
        done = project.run("firmware")
        assert done.status == 28
        assert said in done.stderr
        (project.folder / "rel" / word).unlink()
        assert _image(project).read_bytes() == before
        assert _left(project) == []


def test_what_cannot_be_packed_is_refused_before_anything_runs(project: CrossProject) -> None:
    def refused(status: int, said: str, **variables: str) -> None:
        done: Completed = project.run("firmware", **variables)
        assert (done.status, done.stdout) == (status, ""), done.stderr
        assert said in done.stderr
        assert not (project.folder / ".nerves").exists()

    refused(30, "mksquashfs is not installed", PATH=_without(project, "mksquashfs"))
    _write(project, **{"two/data/x": ""})
    refused(26, "/data")
    subprocess.run(["rm", "-rf", project.folder / "two"], check=True)
    refused(26, "firmware.overlays: two is no folder")
    (project.folder / "two").mkdir()
    (project.folder / "order").unlink()
    refused(26, "firmware.priorities")
    (project.folder / "order").write_text("")
    subprocess.run(["rm", "-rf", project.folder / "rel"], check=True)
    refused(26, "firmware.release")


def _without(project: CrossProject, program: str) -> str:
    """A folder of programs for PATH, in which one is missing."""
    folder = project.folder / "programs"
    folder.mkdir()
    for each in Path("/usr/bin").iterdir():
        if each.name != program:
            (folder / each.name).symlink_to(each)
    return str(folder)
