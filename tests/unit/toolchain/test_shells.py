"""What is printed for shells and programs, read back by the real ones."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.host.process import find_program
from lapstrake.toolchain.shells import Format, as_text

_PRINT = ("env", "-0")
_VALUES = st.text(
    st.one_of(
        st.sampled_from("\n\t\r'\"\\$`#!~*?%&|;<>(){}[]=: ,"),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=12,
)
_BATCHES = st.lists(_VALUES, min_size=30, max_size=60)
HARD = ("", " ", "  x", "x ", "\t", "\\", "a\\", "\\\n", "\n", "a\nb\n", "$(id)", "${HOME}", "$$",
        "#x", "\\#", "a'b", '"', "`id`", "%s", "endef", "a\nendef\n", "-n", "é\u2028", "\r", "x\r",
        "$(lapstrake_hash)", "!x", "~", "~root", "*", "{a,b}", "a\\nb", "\\$", "'\\''")  # fmt: skip


def _needs(program: str) -> str:
    found = find_program(program)
    if found is None:
        pytest.skip(f"needs {program}")
    return str(found)


def _read(
    argv: list[str], text: str, *, setting: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment that a shell gives to a program after it read the text."""
    done = subprocess.run(
        argv,
        input=os.fsencode(text),
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(setting or {})},
        capture_output=True,
        check=True,
        timeout=60,
    )
    pairs = (each.partition("=") for each in os.fsdecode(done.stdout).split("\0"))
    return {name: value for name, _, value in pairs if name}


def _through(format_: Format, values: Mapping[str, str | None], folder: Path) -> dict[str, str]:
    text = as_text(values, format_)
    match format_:
        case Format.SH:
            return _read([_needs("sh")], f"{text}exec env -0\n", setting={"GONE": "1"})
        case Format.DOTENV:
            return _read([_needs("sh")], f"set -a\n{text}exec env -0\n")
        case Format.FISH:
            argv = [_needs("fish"), "--no-config"]
            return _read(argv, f"{text}exec env -0\n", setting={"GONE": "1"})
        case Format.MAKE:
            file = folder / "made.mk"
            file.write_bytes(os.fsencode(f"{text}\nall:\n\t@env -0\n"))
            return _read([_needs("make"), "-f", str(file)], "", setting={"GONE": "1"})
        case Format.JSON:
            return {name: value for name, value in json.loads(text).items() if value is not None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shells")


@pytest.mark.parametrize("format_", Format)
def test_hard_values_come_back(format_: Format, folder: Path) -> None:
    values = {f"VALUE_{number}": text for number, text in enumerate(HARD)}
    assert values.items() <= _through(format_, values, folder).items()


@pytest.mark.parametrize("format_", Format)
@settings(max_examples=8)
@given(texts=_BATCHES)
def test_any_values_come_back(format_: Format, folder: Path, texts: list[str]) -> None:
    values = {f"VALUE_{number}": text for number, text in enumerate(texts)}
    assert values.items() <= _through(format_, values, folder).items()


@pytest.mark.parametrize("format_", [Format.SH, Format.FISH, Format.MAKE, Format.JSON])
def test_removed_variables_are_gone(format_: Format, folder: Path) -> None:
    assert "GONE" not in _through(format_, {"GONE": None, "KEPT": "1"}, folder)


def test_lists_of_folders_survive_fish(folder: Path) -> None:
    path = "/opt/a b/bin:" + os.environ["PATH"]
    assert _through(Format.FISH, {"PATH": path}, folder)["PATH"] == path


def test_lines_are_sorted_and_whole() -> None:
    assert as_text({"B": "1", "A": None}, Format.SH) == "unset A\nexport B='1'\n"
    assert as_text({"B": "1", "A": None}, Format.DOTENV) == "A=''\nB='1'\n"
    assert json.loads(as_text({"B": "1", "A": None}, Format.JSON)) == {"A": None, "B": "1"}
