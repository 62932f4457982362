"""Trees out of a container: whole, and never written elsewhere."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest

from lapstrake.errors import RunnerError
from lapstrake.host.transfer import unpack_whole

_TYPES = {"d": tarfile.DIRTYPE, "f": tarfile.REGTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE}


def _tar(*members: tuple[str, str, str]) -> io.BytesIO:
    """Of kind, name, and content or target."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for kind, name, text in members:
            entry = tarfile.TarInfo(name)
            entry.type = _TYPES[kind]
            entry.mode, entry.mtime = 0o6755, 1_000_000_000
            entry.linkname = text if kind in "lh" else ""
            entry.size = len(text) if kind == "f" else 0
            tar.addfile(entry, io.BytesIO(text.encode()) if kind == "f" else None)
    file.seek(0)
    return file


def test_links_modes_and_times_come_along(tmp_path: Path) -> None:
    target = tmp_path / "out"
    stream = _tar(
        ("d", "tree", ""), ("d", "tree/bin", ""), ("f", "tree/bin/sh", "#!"),
        ("l", "tree/bin/bash", "/bin/sh"), ("h", "tree/bin/ash", "tree/bin/sh"),
    )  # fmt: skip
    unpack_whole(stream, target, error=RunnerError)
    assert (target / "bin/bash").readlink() == Path("/bin/sh")
    facts = (target / "bin/sh").stat()
    assert (facts.st_nlink, stat.S_IMODE(facts.st_mode), facts.st_mtime) == (2, 0o755, 1e9)
    assert (target / "bin").stat().st_mtime == 1e9


@pytest.mark.parametrize(
    "members",
    [
        [("d", "tree", ""), ("l", "tree/x", "/HOST"), ("f", "tree/x/evil", "")],
        [
            ("d", "tree", ""),
            ("l", "tree/x", "/HOST"),
            ("d", "tree/x", ""),
            ("f", "tree/x/evil", ""),
        ],
        [("l", "tree", "/HOST"), ("f", "tree/evil", "")],
        [("d", "tree", ""), ("f", "tree/../../HOST/evil", "")],
        [("d", "tree", ""), ("f", "/HOST/evil", "")],
        [("d", "tree", ""), ("l", "tree/evil", "/HOST/evil"), ("f", "tree/evil", "x")],
    ],
)
def test_nothing_is_written_through_a_link(
    members: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    host = tmp_path / "host"
    host.mkdir()
    there = [(kind, name, text.replace("/HOST", str(host))) for kind, name, text in members]
    with pytest.raises(RunnerError):
        unpack_whole(_tar(*there), tmp_path / "out", error=RunnerError)
    assert not list(host.iterdir())


def test_a_torn_stream_is_an_error(tmp_path: Path) -> None:
    torn = io.BytesIO(_tar(("d", "tree", ""), ("f", "tree/x", "y" * 9000)).getvalue()[:2000])
    with pytest.raises(RunnerError, match="cannot be read"):
        unpack_whole(torn, tmp_path / "out", error=RunnerError)
