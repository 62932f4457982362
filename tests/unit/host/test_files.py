"""Durable writes, exchanged folders, and removal of what resists."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lapstrake.host.files import (
    TEMPORARY,
    copy_atomic,
    open_atomic,
    remove_leftovers,
    remove_tree,
    replace_dir,
    sync_tree,
    write_atomic,
)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_write_replaces_content_and_sets_mode_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "file"
    before = os.umask(0o077)
    try:
        write_atomic(file, b"old")
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        write_atomic(file, b"new", mode=0o600, durable=False)
    finally:
        os.umask(before)
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(tmp_path) == ["file"]


def test_write_replaces_a_link_and_leaves_its_target(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "file").symlink_to("precious")
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "file").is_symlink()


def test_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_atomic(file, b"old")
    with pytest.raises(ZeroDivisionError), open_atomic(file) as writer:  # noqa: PT012 - it fails half way
        writer.write(b"half")
        raise ZeroDivisionError
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_long_name_still_fits(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("x" * 250), b"fits")
    assert (tmp_path / ("x" * 250)).read_bytes() == b"fits"


def test_copy_has_the_same_bytes(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "a").write_bytes(data)
    copy_atomic(tmp_path / "a", tmp_path / "b", mode=0o640)
    assert (tmp_path / "b").read_bytes() == data
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o640


def test_copy_of_a_file_the_kernel_cannot_copy_itself(tmp_path: Path) -> None:
    copy_atomic(Path("/proc/self/status"), tmp_path / "status")
    assert b"Name:" in (tmp_path / "status").read_bytes()


@pytest.mark.parametrize("before", ["missing", "empty", "full"])
def test_replace_dir(tmp_path: Path, before: str) -> None:
    target = tmp_path / "target"
    if before != "missing":
        target.mkdir()
    if before == "full":
        (target / "old").write_text("old")
        (target / "deep").mkdir()
        (target / "deep" / "er").write_text("old")
    new = tmp_path / "new"
    new.mkdir()
    (new / "fresh").write_text("fresh")
    replace_dir(new, target)
    assert names(target) == ["fresh"]
    assert names(tmp_path) == ["target"]


def test_a_reader_never_finds_the_folder_missing(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").write_text("0")
    code = (
        "import os, sys, time\n"
        "end = time.monotonic() + 0.7\n"
        "while time.monotonic() < end:\n"
        "    os.stat(sys.argv[1])\n"
    )
    reader = subprocess.Popen([sys.executable, "-c", code, str(target)])
    turn = 0
    while reader.poll() is None:
        turn += 1
        new = tmp_path / "new"
        new.mkdir()
        (new / "file").write_text(str(turn))
        replace_dir(new, target, durable=False)
    assert reader.returncode == 0
    assert turn > 10
    assert (target / "file").read_text() == str(turn)


def test_a_killed_writer_leaves_old_content_and_a_leftover_that_is_found(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_atomic(file, b"old")
    code = (
        "import sys, time; from pathlib import Path\n"
        "from lapstrake.host.files import open_atomic\n"
        "with open_atomic(Path(sys.argv[1])) as writer:\n"
        "    writer.write(b'half'); writer.flush()\n"
        "    print('half way', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, env={"PYTHONPATH": "src"}
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"half way\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert file.read_bytes() == b"old"
    assert any(name.startswith(TEMPORARY) for name in names(tmp_path))
    assert remove_leftovers(tmp_path) == 1
    assert names(tmp_path) == ["file"]


def test_sync_tree_passes_over_links_and_fifos(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/nowhere")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("x")
    started = time.monotonic()
    sync_tree(tmp_path)
    assert time.monotonic() - started < 60  # a FIFO that is opened would wait for ever


def test_remove_tree_takes_what_is_missing_linked_or_a_file(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (tmp_path / "link").symlink_to(outside)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    remove_tree(tmp_path / "missing")
    remove_tree(tmp_path / "link")
    remove_tree(tree)
    assert names(tmp_path) == ["outside"]
    assert names(outside) == ["kept"]


def test_remove_tree_deeper_than_the_stack(tmp_path: Path) -> None:
    top = tmp_path / "deep"
    top.mkdir()
    current = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=current)
        below = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(current)
    remove_tree(top)
    assert not top.exists()


def test_remove_tree_deeper_than_the_open_files(tmp_path: Path) -> None:
    top = tmp_path / "deep"
    top.joinpath(*["d"] * 300).mkdir(parents=True)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, before[1]))
    try:
        remove_tree(top)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert not top.exists()


def test_remove_tree_without_permissions_as_a_plain_user(tmp_path: Path) -> None:
    """Run as nobody, since permissions do not stop root."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become a plain user")
    work = tmp_path / "work"
    work.mkdir()
    os.chown(work, 65534, 65534)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001 and folder.is_relative_to(tmp_path.parents[2]):
            folder.chmod(0o711)
    source = Path("src").resolve()
    code = (
        "import os, sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(source)!r})\n"
        "from lapstrake.host.files import remove_tree\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "top = Path(sys.argv[1], 'tree'); inner = top / 'a' / 'b'\n"
        "inner.mkdir(parents=True); (inner / 'file').write_text('x')\n"
        "(top / 'f').write_text('x')\n"
        "inner.chmod(0); (top / 'a').chmod(0o500); top.chmod(0o500)\n"
        "remove_tree(top); assert not top.exists()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(work)], check=True)
