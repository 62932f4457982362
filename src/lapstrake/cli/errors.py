"""From exceptions to messages and exit codes: the only place that does it."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from lapstrake.cli.output import Style, paint, printable
from lapstrake.errors import Interrupted, LapstrakeError, StoreError, UsageError

_DEADLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNAL_BASE = 128  # the shell's convention: 128 + the signal's number
_BROKEN_PIPE_STATUS = 1
_WHOLE_NUMBER = (" is not a valid integer range", " is not a whole number")


def run_guarded(work: Callable[[], int]) -> int:
    """Do the work; turn whatever it raises into a message on stderr.

    Returns:
        the exit status.
    """
    _open_closed_streams()
    try:
        with terminated_as_exception():
            status = work()
        sys.stdout.flush()
    except Interrupted as interrupted:
        _stay_deaf()
        _write(message(interrupted.brief))
        return interrupted.exit_code
    except LapstrakeError as error:
        return _tell_ours(error)
    except click.exceptions.NoArgsIsHelpError as no_args:
        no_args.show()
        return no_args.exit_code
    except click.ClickException as error:
        return _tell_usage(error)
    except (KeyboardInterrupt, click.Abort):
        _write(message("interrupted"))
        return _SIGNAL_BASE + signal.SIGINT
    except BrokenPipeError:
        _forget_stdout()
        return _BROKEN_PIPE_STATUS
    except OSError as error:
        return _tell_system(error)
    except Exception as bug:  # noqa: BLE001 - the last resort: no traceback reaches a user
        return _tell_bug(bug)
    return status


@contextmanager
def terminated_as_exception() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `Interrupted` in the main thread, so we clean up.

    Only the first one: a second must not interrupt the cleanup. (A handler that does nothing, not
    ``SIG_IGN``, which the programs that cleanup starts would inherit.)
    """

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        for each in caught:
            signal.signal(each, lambda *_: None)
        stopped.append(number)
        raise Interrupted(number)

    stopped: list[int] = []
    before = {each: signal.getsignal(each) for each in _DEADLY}
    caught = [each for each, how in before.items() if how != signal.SIG_IGN]  # nohup ignores SIGHUP
    for each in caught:
        signal.signal(each, stop)
    try:
        yield
    finally:
        for each in () if stopped else caught:  # see `_stay_deaf`
            signal.signal(each, before[each])


def _open_closed_streams() -> None:
    """Put ``/dev/null`` where a standard stream was closed (``>&-``): Python has ``None`` there.

    The first of our files would have the stream's number, too, and get what programs print.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))  # lowest number


def _stay_deaf() -> None:
    """Nothing is left to interrupt: the exit status shall tell of the first signal."""
    for number in _DEADLY:
        signal.signal(number, signal.SIG_IGN)


def message(brief: str, *, details: str = "", resolution: str = "") -> str:
    """Format an error for stderr: ``error: brief``, the details, ``→ resolution``."""
    lines = [f"{paint('error:', Style.BOLD, Style.RED, stream=sys.stderr)} {printable(brief)}"]
    if details:
        lines.append(printable(details.rstrip("\n")))
    if resolution:
        arrow = paint("→", Style.BOLD, Style.CYAN, stream=sys.stderr)
        lines.append(f"{arrow} {printable(resolution)}")
    return "\n".join(lines)


def state_dir() -> Path:
    """Where reports of crashes go: ``$XDG_STATE_HOME/lapstrake`` (XDG base directories 0.8)."""
    configured = Path(os.environ.get("XDG_STATE_HOME") or "")
    base = configured if configured.is_absolute() else Path.home() / ".local" / "state"
    return base / "lapstrake"


def _tell_ours(error: LapstrakeError) -> int:
    _write(message(error.brief, details=error.details, resolution=error.resolution))
    return error.exit_code


def _tell_usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    program = context.command_path if isinstance(context, click.Context) else "lapstrake"
    brief = error.format_message().rstrip(".").replace(*_WHOLE_NUMBER)
    _write(message(brief[:1].lower() + brief[1:], resolution=f"See `{program} --help`."))
    return error.exit_code


def _tell_system(error: OSError) -> int:
    """Say what the system refused where nothing more specific caught it."""
    what = error.strerror or str(error)
    brief = f"{error.filename}: {what}" if error.filename is not None else what
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        _write(message(brief, resolution="Make room: `lapstrake store gc` frees what it can."))
        return StoreError.exit_code
    if error.filename is not None and error.errno in (errno.EACCES, errno.EROFS):
        how = "May this user write there? Our folder is work_dir (or $LAPSTRAKE_WORK_DIR)."
        _write(message(brief, resolution=how))
        return LapstrakeError.exit_code
    if error.filename is None and _folder_is_gone():
        _write(message("the current folder does not exist any more", resolution="Go elsewhere."))
        return UsageError.exit_code
    _tell_with_traceback(brief, error, "If this is no fault of the host's, report it with {}.")
    return LapstrakeError.exit_code


def _folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _tell_bug(bug: Exception) -> int:
    """Say that this is our fault, and keep the traceback for a report."""
    brief = f"an error in Lapstrake itself: {type(bug).__name__}: {bug}"
    _tell_with_traceback(brief, bug, "Please report it, with {}.")
    return LapstrakeError.exit_code


def _tell_with_traceback(brief: str, error: Exception, resolution: str) -> None:
    """Tell an error whose traceback goes to a file; without a file, or for debugging, to stderr."""
    text = "".join(traceback.format_exception(error))
    report = None if os.environ.get("LAPSTRAKE_DEBUG") else _save_report(text)
    if report is None:
        _write(message(brief, details=text))
    else:
        _write(message(brief, resolution=resolution.format(report)))


def _save_report(text: str) -> Path | None:
    """Write a traceback to a new file; ``None`` when there is no place for it."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        path = state_dir() / f"crash-{now}-{os.getpid()}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{' '.join(sys.argv)}\n{text}", "utf-8", "backslashreplace")
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return None
    return path


def _write(text: str) -> None:
    try:
        sys.stdout.flush()  # so that both streams on one terminal keep their order
    except OSError:
        _forget_stdout()
    with suppress(OSError):  # nobody reads it; the exit status still tells
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the one place for errors


def _forget_stdout() -> None:
    """Keep the interpreter's last flush from complaining about what nobody can read."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
