"""The pages of the documentation as programs: their blocks, in order, as one shell runs them.

A page's blocks are ```` ```console ```` with ``$ `` before each command (``> `` before its further
lines) and what it prints below it, where ``...`` stands for anything. A comment before a block says
what differs from that:

``<!-- file: PATH -->``
    the block is a file that the reader writes.
``<!-- fails: STATUS -->``
    its last command ends with this status.
``<!-- not run: REASON -->``
    it cannot run in a test.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
_TOLD_LINES = 40
_BLOCK = re.compile(
    r"(?:<!-- (?P<how>file|fails|not run): (?P<what>[^>]+?) -->\n+)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command of a page, or a file it tells to write.

    Attributes:
        line: where it is in the page, from 1.
        command: shell text; for a file, what writes it.
        expected: the lines below it.
        status: how it should end.
    """

    line: int
    command: str
    expected: tuple[str, ...] = ()
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of Markdown.

    Attributes:
        path: its file.
        steps: what a reader does, in order.
        omitted: for each block that is not run, its line and the reason.
    """

    path: Path
    steps: tuple[Step, ...] = ()
    omitted: tuple[tuple[int, str], ...] = field(default=())

    def script(self, mark: str) -> str:
        """All steps as one script for bash; after each, a line with the mark and its status."""
        lines = []
        for step in self.steps:
            lines += [step.command, f"printf '\\n%s %s\\n' {mark} $?"]
        return "\n".join(lines) + "\n"

    def complaints(self, output: str, mark: str) -> Iterator[str]:
        """Compare what the script printed with what the page shows."""
        answers = re.split(rf"\n{mark} (\d+)\n", output)
        seen = list(zip(answers[::2], answers[1::2], strict=False))
        for step, (printed, status) in zip(self.steps, seen, strict=False):
            where = f"{self.path.name}:{step.line}: {step.command}"
            if int(status) != step.status:
                yield f"{where}\nstatus {status}, not {step.status}:\n{_end(printed)}"
            elif not matches(step.expected, printed.splitlines()):
                shown = "\n".join(step.expected)
                yield f"{where}\nthe page shows:\n{shown}\nit printed:\n{_end(printed)}"
        if len(seen) < len(self.steps):
            yield f"{self.path.name}: the shell ended early:\n{answers[-1]}"


def read_page(path: Path) -> Page:
    """Read the blocks of a page."""
    text = path.read_text()
    steps: list[Step] = []
    omitted = []
    for block in _BLOCK.finditer(text):
        line = text.count("\n", 0, block.start("language")) + 1
        how, what = block["how"], block["what"]
        if how == "not run":
            omitted.append((line, what))
        elif how == "file":
            steps.append(Step(line=line, command=_write(what, block["text"])))
        elif block["language"] == "console":
            steps += _steps(block["text"].splitlines(), line, int(what) if how else 0)
    return Page(path=path, steps=tuple(steps), omitted=tuple(omitted))


def new_mark() -> str:
    """A word that no output holds."""
    return f"mark-{secrets.token_hex(8)}"


def matches(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether lines are as shown: ``...`` stands for anything, blanks at ends do not count.

    Nothing shown is nothing asked.
    """
    wanted = "\n".join(line.strip() for line in expected).strip()
    actual = "\n".join(line.strip() for line in printed).strip()
    if not wanted:
        return True
    pattern = ".*".join(re.escape(part) for part in re.split(r"\n?\.\.\.\n?", wanted))
    return re.fullmatch(pattern, actual, re.DOTALL) is not None


def _end(printed: str) -> str:
    """The last lines of an output: builds are long."""
    return "\n".join(printed.splitlines()[-_TOLD_LINES:])


def _steps(lines: Sequence[str], first: int, status: int) -> Iterator[Step]:
    """The commands of one block; only the last one may fail."""
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command = [lines[start].removeprefix("$ ")]
        rest = start + 1
        while rest < end and lines[rest].startswith("> "):
            command.append(lines[rest].removeprefix("> "))
            rest += 1
        yield Step(
            line=first + 1 + start,
            command="\n".join(command),
            expected=tuple(lines[rest:end]),
            status=status if start == starts[-1] else 0,
        )


def _write(name: str, text: str) -> str:
    folder = shlex.quote(str(Path(name).parent))
    return f"mkdir -p {folder} && printf %s {shlex.quote(text)} > {shlex.quote(name)}"
