"""A command's words, environment, output and exit status."""

from __future__ import annotations

import hashlib

import pytest

from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Ending
from runner_subjects import BUILDROOT, Subject, run, said, sh

OF_SHELLS = {"PWD", "OLDPWD", "SHLVL", "_"}


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_exit_status_is_the_commands(subject: Subject, status: int) -> None:
    with subject.session() as session:
        outcome, _ = sh(session, f"exit {status}")
    assert (outcome.status, outcome.ending) == (status, Ending.EXITED)
    assert outcome.ok == (status == 0)


@pytest.mark.parametrize("number", [1, 2, 6, 9, 11, 15])
def test_a_signal_is_128_and_its_number(subject: Subject, number: int) -> None:
    with subject.session() as session:
        outcome, _ = sh(session, f"kill -{number} $$; sleep 5; echo still there")
    assert outcome.status == 128 + number


def test_a_missing_program_is_127(subject: Subject) -> None:
    with subject.session() as session:
        outcome, text = run(session, "no-such-program")
    assert outcome.status == 127
    assert "no-such-program" in text


def test_a_program_that_may_not_run_is_126(subject: Subject) -> None:
    with subject.session() as session:
        said(session, "echo true > f; chmod 644 f")
        outcome, _ = run(session, "./f")
    assert outcome.status == 126


def test_both_outputs_come_in_their_order(subject: Subject) -> None:
    script = "i=0; while [ $i -lt 200 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
    with subject.session() as session:
        text = said(session, script)
    expected = [f"{where} {number}" for number in range(200) for where in ("out", "err")]
    assert text.splitlines() == expected


def test_ten_megabytes_arrive_whole(subject: Subject) -> None:
    digest, size = hashlib.sha256(), 0

    def listen(data: bytes) -> None:
        nonlocal size
        digest.update(data)
        size += len(data)

    with subject.session() as session:
        argv = ("sh", "-c", "yes lapstrake | head -n 1000000; printf end")
        outcome = session.run(Command(argv=argv, cwd=BUILDROOT), on_output=listen)
    assert outcome.ok
    assert size == 10_000_003
    assert digest.hexdigest() == hashlib.sha256(b"lapstrake\n" * 1_000_000 + b"end").hexdigest()


def test_what_is_no_text_arrives_as_it_is(subject: Subject) -> None:
    output: list[bytes] = []
    with subject.session() as session:
        command = Command(argv=("printf", r"\000\377\r\n\033"), cwd=BUILDROOT)
        assert session.run(command, on_output=output.append).ok
    assert b"".join(output) == b"\0\xff\r\n\x1b"


def test_words_are_passed_as_they_are(subject: Subject) -> None:
    words = ["", "a b", "$HOME", "'", '"', "*", "new\nline", "--", "-x", "ü", "a;b", "\\"]
    with subject.session() as session:
        text = said(session, 'printf "<%s>" "$@"', *words)
    assert text == "".join(f"<{word}>" for word in words)


def test_the_environment_is_clean(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPSTRAKE_CANARY", "leaked")
    monkeypatch.setenv("LD_PRELOAD", "")
    with subject.session() as session:
        text = said(session, "env", env={"GIVEN": "a b\tc=d", "PATH": "/bin:/usr/bin:/sbin"})
    variables = dict(line.split("=", 1) for line in text.splitlines())
    assert variables["GIVEN"] == "a b\tc=d"
    assert variables["PATH"] == "/bin:/usr/bin:/sbin"
    assert variables["LANG"] == "C.UTF-8"
    allowed = {"GIVEN", "PATH", "HOME", "LANG", "TERM", *OF_SHELLS}
    if subject.name == "local":
        allowed |= {"LAPSTRAKE_BUILDROOT"}
    assert set(variables) <= allowed
    assert "leaked" not in text


def test_a_command_does_not_see_the_variables_of_the_one_before(subject: Subject) -> None:
    with subject.session() as session:
        assert said(session, 'echo "$FIRST"', env={"FIRST": "1"}) == "1\n"
        assert said(session, 'echo "$FIRST"', env={"SECOND": "2"}) == "\n"


def test_it_starts_in_its_folder(isolating: Subject) -> None:
    with isolating.session() as session:
        assert said(session, "pwd", cwd=GuestPath("/tmp")) == "/tmp\n"
        assert said(session, "pwd", cwd=GuestPath("/")) == "/\n"


def test_it_runs_as_its_user(subject: Subject) -> None:
    if subject.name == "local" and subject.rootless:
        pytest.skip("the runner local cannot change users")
    with subject.session() as session:
        assert said(session, "id -u; id -g; id -G", user=1000) == "1000\n1000\n1000\n"
        assert said(session, "id -u; id -g", user=0) == "0\n0\n"


def test_standard_input_is_empty(subject: Subject) -> None:
    with subject.session() as session:
        assert said(session, "cat; echo end") == "end\n"


def test_no_descriptors_are_inherited(subject: Subject) -> None:
    with subject.session() as session:
        text = said(session, "exec ls /proc/self/fd")
    assert set(text.split()) <= {"0", "1", "2", "3"}  # 3: the folder that is listed


def test_many_commands_one_after_another(subject: Subject) -> None:
    with subject.session() as session:
        for number in range(5):
            said(session, f"echo {number} >> list")
        assert said(session, "cat list").split() == list("01234")
