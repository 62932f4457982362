"""Logs in both forms, what systemd is told, and tracing that nobody wants."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.farm.monitor.logs import LogForm, about, start_logs
from lapstrake.farm.monitor.ready import tell_systemd
from lapstrake.farm.monitor.tracing import start_tracing


@pytest.fixture
def loggers() -> Iterator[None]:
    """Puts the loggers back as pytest had them."""
    names = ("", "lapstrake", "uvicorn")
    before = [
        (logger, list(logger.handlers), logger.level, logger.propagate)
        for logger in map(logging.getLogger, names)
    ]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.mark.usefixtures("loggers")
def test_json_has_a_line_for_each_and_says_what_it_is_about() -> None:
    said = io.StringIO()
    start_logs(LogForm.JSON, said)
    log = logging.getLogger("lapstrake.farm.test")
    with about(task=7, worker="w1"), about(attempt=2):
        log.warning("two\nlines %s", "of it")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    logging.getLogger("somebody.else").info("not told")
    first, second = map(json.loads, said.getvalue().splitlines())
    assert (first["message"], first["level"]) == ("two\nlines of it", "warning")
    assert (first["task"], first["attempt"], first["worker"]) == (7, 2, "w1")
    assert "ValueError: no" in second["traceback"]
    assert "task" not in second


@pytest.mark.usefixtures("loggers")
def test_text_cannot_begin_another_line() -> None:
    said = io.StringIO()
    start_logs(LogForm.TEXT, said)
    with about(task=7):
        logging.getLogger("lapstrake.farm.test").info("a\nfalse line\x1b[2J")
    (line,) = said.getvalue().splitlines()
    assert line.endswith("info a\\x0afalse line\\x1b[2J [task=7]")


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"lapstrake-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}" if abstract else str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else str(tmp_path / "notify"))
        tell_systemd("READY=1", "STATUS=well")
        assert manager.recv(1000) == b"READY=1\nSTATUS=well"


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_systemd("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    tell_systemd("READY=1")


def test_traces_are_made_for_those_who_want_them_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert start_tracing("test") is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert start_tracing("test") is None
