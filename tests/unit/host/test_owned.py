"""Sizes of trees that a hostile build made to look small."""

from __future__ import annotations

import os
from pathlib import Path

from lapstrake.host.owned import size_owned

MIB = 1 << 20


def test_what_lies_below_a_path_too_long_for_the_kernel_counts(tmp_path: Path) -> None:
    """Folders of 200-byte names, 25 deep: no path to the file fits in 4,096 bytes."""
    name = "d" * 200
    current = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(name, dir_fd=current)
        below = os.open(name, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    file = os.open("big", os.O_WRONLY | os.O_CREAT, dir_fd=current)
    os.write(file, b"x" * (4 * MIB))
    os.fsync(file)
    os.close(file)
    os.close(current)
    assert 4 * MIB <= size_owned(tmp_path) < 5 * MIB
