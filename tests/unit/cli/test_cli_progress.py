"""The line of progress, beside others who use the terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios

_FIVE_PAINTINGS = 0.6
_CODE = f"""
import sys, time
from lapstrake.cli.output import Output
from lapstrake.cli.progress import open_progress

progress = open_progress(Output())
progress.headline("a headline " + "x" * 200)
time.sleep({_FIVE_PAINTINGS})
progress.rest()
print("prompt", file=sys.stderr, flush=True)
time.sleep({_FIVE_PAINTINGS})
progress.headline("the next one")
time.sleep({_FIVE_PAINTINGS})
progress.close()
"""


def _on_terminal(code: str, *, columns: int) -> str:
    """What a program writes to a terminal, control sequences and all."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:  # the program has ended
            pass
        assert process.wait(30) == 0
    os.close(ours)
    return seen.decode()


def test_the_line_rests_while_somebody_else_has_the_terminal() -> None:
    seen = _on_terminal(_CODE, columns=60)
    before, prompt, after = seen.partition("prompt")
    assert "a headline" in before
    assert before.endswith("\r\x1b[K")
    assert prompt
    assert "a headline" not in after
    assert "the next one" in after
    assert after.endswith("\r\x1b[K")


def test_the_line_leaves_room_for_an_echo() -> None:
    """The terminal writes ``^C`` after it; a row that is full would be two."""
    seen = _on_terminal(_CODE, columns=60)
    rows = [row for row in seen.replace("\r", "\n").split("\n") if "a headline" in row]
    assert {len(row.removeprefix("\x1b[K")) for row in rows} == {57}
