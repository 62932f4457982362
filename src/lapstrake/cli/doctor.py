"""``lapstrake doctor``: what this host can do, and how to make it do more."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import Style, paint, printable, table
from lapstrake.errors import RunnerError
from lapstrake.runner.probe import (
    Ability,
    ProgramReport,
    RunnerReport,
    probe_disk,
    probe_farm,
    probe_kernel,
    probe_programs,
    probe_runners,
)

_GOOD = ("ok", Style.GREEN)
_WEAK = ("!", Style.YELLOW)
_MISSING = ("-", Style.DIM)
_BAD = ("no", Style.RED)
_MARK_WIDTH = 2


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def doctor(app: AppContext, as_json: bool) -> int:
    """Check what this host can do, and how to make it do more.

    Runners first: one that can make layers must be usable, or the exit status is 11.
    """
    work_dir = app.config.work_dir
    with app.output.status("looking around"):
        runners, programs = probe_runners(app.config.runner), probe_programs()
        abilities = (*probe_kernel(work_dir), probe_disk(work_dir), probe_farm())
    usable = any(report.makes_layers for report in runners)
    if as_json:
        document = _document(usable, runners, programs, abilities)
        app.output.result(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        lines = [
            *_section("Runners", _runner_lines(runners)),
            *_section("Kernel and disk", _ability_lines(abilities)),
            *_section("Programs", _program_lines(programs)),
            _verdict(usable),
        ]
        app.output.result("\n".join(lines))
    return 0 if usable else RunnerError.exit_code


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield paint(title, Style.BOLD, stream=sys.stdout)
    yield from lines
    yield ""


def _line(mark: tuple[str, Style], text: str) -> str:
    word, style = mark
    return f"  {paint(word.ljust(_MARK_WIDTH), style, stream=sys.stdout)}  {printable(text)}"


def _remedy(text: str) -> str:
    return f"      {paint('→', Style.CYAN, stream=sys.stdout)} {printable(text)}"


def _runner_lines(reports: tuple[RunnerReport, ...]) -> Iterator[str]:
    for report in reports:
        mark = _BAD if not report.usable else _WEAK if report.lacks else _GOOD
        yield _line(mark, report.name)
        for lack in report.lacks:
            yield f"      {printable(lack.what)}"
            yield _remedy(lack.remedy)


def _ability_lines(abilities: tuple[Ability, ...]) -> Iterator[str]:
    rows = table([(ability.name, ability.seen) for ability in abilities]).splitlines()
    for ability, row in zip(abilities, rows, strict=True):
        yield _line(_GOOD if ability.ok else _WEAK, row)
        if not ability.ok and ability.remedy:
            yield _remedy(ability.remedy)


def _program_lines(programs: tuple[ProgramReport, ...]) -> Iterator[str]:
    cells = [(each.name, each.purpose, str(each.path or each.remedy)) for each in programs]
    for each, row in zip(programs, table(cells).splitlines(), strict=True):
        yield _line(_GOOD if each.path else _MISSING, row)


def _verdict(usable: bool) -> str:
    if usable:
        return "This host can build."
    return "This host cannot build yet: make one of userns, nspawn and docker usable."


def _document(
    usable: bool,
    runners: tuple[RunnerReport, ...],
    programs: tuple[ProgramReport, ...],
    abilities: tuple[Ability, ...],
) -> dict[str, object]:
    return {
        "usable": usable,
        "runners": [
            {
                "name": report.name,
                "usable": report.usable,
                "isolates": report.isolates,
                "lacks": [
                    {"what": lack.what, "remedy": lack.remedy, "blocks": lack.blocks}
                    for lack in report.lacks
                ],
            }
            for report in runners
        ],
        "host": [
            {"name": each.name, "ok": each.ok, "seen": each.seen, "remedy": each.remedy}
            for each in abilities
        ],
        "programs": [
            {
                "name": each.name,
                "purpose": each.purpose,
                "package": each.package,
                "path": str(each.path) if each.path else None,
            }
            for each in programs
        ],
    }
