"""Locks between real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lapstrake.errors import PublishError, StoreError
from lapstrake.host.locks import holders, locked

SOURCE = Path(__file__).resolve().parents[3] / "src"

HOLDER = """
import sys
from pathlib import Path
from lapstrake.host.locks import locked
with locked(Path(sys.argv[1]), what="it", exclusive=sys.argv[2] == "exclusive"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(lock: Path, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCE)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_two_exclusive_holders_never_meet_and_the_message_names_the_first(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "lock"
    with holder(lock, "exclusive") as other:
        assert holders(lock) in ((other.pid,), ())
        with pytest.raises(PublishError) as caught:
            with locked(lock, what="the thing", timeout=0, error=PublishError):
                pytest.fail("two held it")
        assert "the thing is in use by" in caught.value.brief
        if holders(lock):
            assert str(other.pid) in caught.value.brief
    with locked(lock, what="the thing", timeout=0):
        pass


@pytest.mark.parametrize(
    "first, second, meet",
    [
        ("shared", "shared", True),
        ("shared", "exclusive", False),
        ("exclusive", "shared", False),
        ("exclusive", "exclusive", False),
    ],
)
def test_kinds(tmp_path: Path, first: str, second: str, meet: bool) -> None:
    lock = tmp_path / "lock"
    met = False
    with holder(lock, first):
        try:
            with locked(lock, what="it", exclusive=second == "exclusive", timeout=0.05):
                met = True
        except StoreError:
            pass
    assert met is meet


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock, "exclusive") as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        with locked(lock, what="it", timeout=0):
            assert holders(lock) in ((os.getpid(),), ())
    assert holders(lock) == ()


def test_waiting_is_told_once_and_ends_when_the_holder_does(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    told: list[str] = []
    with holder(lock, "exclusive") as other:

        def tell(line: str) -> None:
            told.append(line)
            assert other.stdin is not None
            other.stdin.close()  # the holder ends now

        with locked(lock, what="the thing", timeout=60, on_wait=tell):
            assert other.wait(timeout=60) == 0
        other.stdin = None
    assert len(told) == 1
    assert told[0].startswith("waiting for the thing, in use by ")


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    lock, inside, most = tmp_path / "lock", 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locked(lock, what="it"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_file_removed_under_us_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock, "exclusive"):
        lock.unlink()  # rude, but people do it
        with locked(lock, what="it", timeout=0):
            with pytest.raises(StoreError):
                with locked(lock, what="it", timeout=0):
                    pytest.fail("two held it")


def test_released_when_the_block_fails(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), locked(lock, what="it"):
        raise ZeroDivisionError
    with locked(lock, what="it", timeout=0):
        pass


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishError, match="cannot lock it"):
        with locked(tmp_path / "file" / "lock", what="it", error=PublishError):
            pytest.fail("locked")
