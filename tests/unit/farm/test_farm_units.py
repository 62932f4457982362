"""systemd takes the units; they name this installation and hand tokens over as credentials."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lapstrake.farm.operations.units import SERVE, WORKER, unit_texts
from lapstrake.host.process import find_program


@pytest.mark.skipif(find_program("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("how", [{}, {"user": True}, {"config_dir": Path("/etc/farm")}])
def test_systemd_finds_nothing_wrong(
    how: Mapping[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "lapstrake"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    folder = tmp_path / "units"
    folder.mkdir()
    for name, text in unit_texts(**how).items():  # type: ignore[arg-type]
        (folder / name).write_text(text)
        assert "@" not in text.replace("lapstrake-worker@", "").replace("after the @", "")
    words = ["systemd-analyze", "verify", "--man=no", *map(str, folder.iterdir())]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "lapstrake" in line]
    assert not ours
    assert done.returncode == 0, done.stderr


def test_units_name_this_program_and_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "lapstrake"
    program.touch()
    monkeypatch.setattr(sys, "argv", [str(program)])
    texts = unit_texts(config_dir=Path("/srv/farm"))
    assert f"ExecStart={program} serve" in texts[SERVE]
    assert "Environment=LAPSTRAKE_CONFIG=/srv/farm" in texts[SERVE]
    assert "LoadCredential=token:/srv/farm/worker-%i.token" in texts[WORKER]


def test_a_users_units_want_nothing_of_the_machine() -> None:
    for text in unit_texts(user=True).values():
        for word in ("User=", "network-online", "ProtectSystem", "multi-user"):
            assert word not in text
