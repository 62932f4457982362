"""What messages tell people to run can be run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lapstrake.cli.main import cli
from project import PROJECT, SOURCE

_BREAK = re.compile(r'"\s*\n\s*f?"')
"""Where a text goes on in the next line."""
_COMMAND = re.compile(r"`lapstrake ([^`\n]+)`")
_WORD = re.compile(r"[a-z][a-z-]*\Z")


def _commands() -> Iterator[tuple[Path, str]]:
    for file in sorted(SOURCE.rglob("*.py")):
        for match in _COMMAND.finditer(_BREAK.sub("", file.read_text())):
            yield file.relative_to(PROJECT), match[1]


def _lacks(text: str) -> str:
    """The first word of a command line that there is not; empty when there is all of it."""
    command: click.Command = cli
    known: set[str] = set()
    for word in text.split():
        if isinstance(command, click.Group) and _WORD.match(word):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return word
            command = found
        known.update(name for each in command.params for name in (*each.opts, *each.secondary_opts))
        if word.startswith("--") and word.partition("=")[0] not in known:
            return word
    return ""


def test_every_command_that_is_advised_exists() -> None:
    advised = list(_commands())
    assert len(advised) > 50
    assert not [f"{file}: lapstrake {text}" for file, text in advised if _lacks(text)]


@pytest.mark.parametrize("text", ["farm resume", "build --no-such", "nothing"])
def test_what_does_not_exist_is_found(text: str) -> None:
    assert _lacks(text)
