"""Which versions of the host's programs will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.artifact.using.firmware_tools import HOST_TOOLS, check_tool
from lapstrake.errors import ToolchainError

FWUP = HOST_TOOLS[0]


def _program(folder: Path, said: str) -> None:
    folder.mkdir(parents=True)
    (folder / "fwup").write_text(f"#!/bin/sh\necho '{said}'\n")
    (folder / "fwup").chmod(0o755)


@pytest.mark.parametrize("said", ["1.8.0", "1.10.1", "fwup 1.9.4-dev"])
def test_versions_that_will_do(tmp_path: Path, said: str) -> None:
    _program(tmp_path / "bin", said)
    check_tool(FWUP, {"PATH": str(tmp_path / "bin")})


@pytest.mark.parametrize("said", ["1.7.9", "2.0.0", "0.18.1", "", "no number"])
def test_versions_that_will_not_do(tmp_path: Path, said: str) -> None:
    _program(tmp_path / "bin", said)
    with pytest.raises(ToolchainError, match=r"1\.8 or later"):
        check_tool(FWUP, {"PATH": str(tmp_path / "bin")})


def test_the_toolchains_own_comes_first(tmp_path: Path) -> None:
    _program(tmp_path / "bin", "1.0.0")
    _program(tmp_path / "toolchain/usr/bin", "1.9.0")
    where = {"PATH": str(tmp_path / "bin"), "NERVES_TOOLCHAIN": str(tmp_path / "toolchain")}
    check_tool(FWUP, where)


def test_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="fwup is not installed"):
        check_tool(FWUP, {"PATH": str(tmp_path)})
