"""The log of a build: every byte, but for secrets, however the output is cut into pieces."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapstrake.build.log import BuildLog
from roots import Recorder

SECRET = b"hunter2-hunter2"


class Listener(Recorder):
    """Keeps the output too."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""

    def output(self, data: bytes) -> None:
        self.heard += data


def logged(path: Path, pieces: list[bytes], *secrets: bytes) -> tuple[bytes, Listener]:
    path.unlink(missing_ok=True)
    listener = Listener()
    with BuildLog(path, listener) as log:
        log.hide(secrets)
        for piece in pieces:
            log.output(piece)
    return path.read_bytes(), listener


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(marks)]


_TEXTS = st.lists(
    st.one_of(st.just(SECRET), st.binary(max_size=20).filter(lambda text: b"h" not in text)),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=_TEXTS, places=st.lists(st.integers(0, 300), max_size=12))
def test_every_byte_but_the_secrets(tmp_path: Path, texts: list[bytes], places: list[int]) -> None:
    data = b"".join(texts)
    wanted = b"".join(b"***" if text == SECRET else text for text in texts)
    written, listener = logged(tmp_path / "log", cut(data, places), SECRET)
    assert written == wanted
    assert listener.heard == wanted


@pytest.mark.parametrize("before", [65_530, 65_536 - len(SECRET), 70_000])
@pytest.mark.parametrize("split", range(1, len(SECRET)))
def test_a_secret_in_a_line_without_end(tmp_path: Path, before: int, split: int) -> None:
    """A progress bar is passed on before its line ends: the cut may lie in the secret."""
    pieces = [b"." * before + SECRET[:split], SECRET[split:] + b"." * 70_000, b"end\n"]
    written, _ = logged(tmp_path / "log", pieces, SECRET)
    assert written == b"." * before + b"***" + b"." * 70_000 + b"end\n"


def test_secrets_of_several_lines_and_within_each_other(tmp_path: Path) -> None:
    secrets = (b"first-line\nsecond-line\n", b"first", b"no")
    written, _ = logged(tmp_path / "log", [b"a first-line\r\nb second-line\nno first\n"], *secrets)
    assert written == b"a ***\r\nb ***\nno ***\n", "words of three letters are no secrets"


def test_headlines_notes_and_the_tail(tmp_path: Path) -> None:
    listener = Listener()
    path = tmp_path / "log"
    with BuildLog(path, listener) as log:
        log.note("only here")
        log.headline("ours")
        log.output(b"noise\n>>> build: theirs\n")
        log.warning("careful")
        log.output(b"".join(b"line %d\n" % number for number in range(40)))
        assert log.tail.splitlines() == [f"line {number}" for number in range(25, 40)]
    assert listener.headlines == ["ours", "build: theirs"]
    assert listener.warnings == ["careful"]
    text = path.read_text()
    assert "only here" in text
    assert ">>> ours\nnoise\n>>> build: theirs\nwarning: careful\nline 0\n" in text
    assert b"only here" not in listener.heard


class InOrder(Listener):
    """Writes both into one list."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bytes] = []

    def headline(self, text: str) -> None:
        self.told.append(f"[{text}]".encode())

    def output(self, data: bytes) -> None:
        self.told += [line for line in data.splitlines() if not line.startswith(b">>> ")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 300), max_size=6))
def test_headlines_stand_where_they_were_printed(tmp_path: Path, places: list[int]) -> None:
    data = b"before\n>>> build: it\ncompiling\r\n>>> pack: it\nlast\n"
    listener = InOrder()
    with BuildLog(tmp_path / "log", listener) as log:
        for piece in cut(data, places):
            log.output(piece)
    assert listener.told == [b"before", b"[build: it]", b"compiling", b"[pack: it]", b"last"]
