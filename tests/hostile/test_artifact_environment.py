"""Variables of packages that mean harm: no shell and no tool reads more in them than a text."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path, PurePath

import pytest

from lapstrake.artifact.using.environment import read_variables
from lapstrake.errors import ToolchainError
from lapstrake.toolchain.look import debian_facts
from lapstrake.toolchain.make import make_environment
from lapstrake.toolchain.prompt import shell_start
from lapstrake.toolchain.targets import parse_target


@pytest.mark.parametrize(
    "name",
    ["PATH", "LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "PROMPT_COMMAND", "PS1", "IFS", "HOME",
     "GIT_SSH_COMMAND", "SSH_ASKPASS", "LAPSTRAKE_CROSS", "X=1;id #", "a\nb", "BASH_FUNC_ls%%"],
)  # fmt: skip
def test_platforms_set_nothing_of_the_users(name: str) -> None:
    with pytest.raises(ToolchainError):
        read_variables(json.dumps({name: "x"}).encode(), "the platform")


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_the_prompt_runs_nothing(tmp_path: Path, shell: str) -> None:
    """Its mark is what a package may say the compiler is called."""
    evil = '$(touch pwned)`touch pwned`\'";touch pwned;"'
    start = shell_start({"SHELL": shell, "CROSSCOMPILE": evil}, files=PurePath(tmp_path))
    for name, text in start.files.items():
        Path(name).parent.mkdir(parents=True)
        Path(name).write_text(text)
    done = subprocess.run(
        start.argv, env={"HOME": "/", **start.variables}, input=b"exit 7\n", check=False,
        cwd=tmp_path, capture_output=True, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == 7
    assert not (tmp_path / "pwned").exists()


def test_cmakes_file_holds_no_more_commands(tmp_path: Path) -> None:
    evil = "arm)\nexecute_process(COMMAND touch pwned"
    facts = debian_facts(parse_target("arm64"), build=parse_target("amd64"))
    made = make_environment(facts, files=tmp_path, given=({"TARGET_ARCH": evil},))
    text = next(text for name, text in made.files.items() if name.endswith(".cmake"))
    assert "execute_process" not in text
    assert "set(CMAKE_SYSTEM_PROCESSOR aarch64)" in text
