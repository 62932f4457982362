"""Rules about the code that no linter knows."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from project import PROJECT, SOURCE

MOST_LINES = 500
MEDIAN_LINES = 150
MOST_FUNCTION_LINES = 45
_MODULES = sorted(SOURCE.rglob("*.py"))


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines())


def _ids(file: Path) -> str:
    return str(file.relative_to(PROJECT))


def test_no_module_is_long() -> None:
    long = {_ids(file): _lines(file) for file in _MODULES if _lines(file) > MOST_LINES}
    assert not long


def test_most_modules_are_short() -> None:
    assert statistics.median(_lines(file) for file in _MODULES) <= MEDIAN_LINES


def _functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("file", _MODULES, ids=_ids)
def test_no_function_is_long(file: Path) -> None:
    long = {
        function.name: _body_lines(function)
        for function in _functions(file)
        if _body_lines(function) > MOST_FUNCTION_LINES
    }
    assert not long


def test_the_code_uses_no_assertions_to_check_input() -> None:
    """``python -O`` drops them; the marked ones only tell the type checker something."""
    unmarked = [
        f"{_ids(file)}:{number}"
        for file in _MODULES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if line.strip().startswith("assert ") and "noqa: S101" not in line
    ]
    assert not unmarked
