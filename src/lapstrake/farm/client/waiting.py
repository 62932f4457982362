"""How clients wait: they look again and again, less often the longer nothing happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.2, 3.0, 1.3


def wait_until(
    look: Callable[[], T],
    has_ended: Callable[[T], bool],
    *,
    what: str,
    seconds: float | None,
    on_change: Callable[[T], None],
    differs: Callable[[T, T], bool],
) -> T:
    """Look until what is seen has ended; gives it.

    Args:
        look: sees how it stands.
        has_ended: whether that is the end.
        what: what is waited for, such as ``task 7``.
        seconds: give up after so many; never when ``None``.
        on_change: told what is seen at first, and whenever it differs.
        differs: whether one view differs from the one before.

    Raises:
        TimeoutError: it has not ended in that time; whatever `look` raises.
    """
    until = None if seconds is None else time.monotonic() + seconds
    pause, seen = _FIRST_PAUSE, look()
    on_change(seen)
    while not has_ended(seen):
        if until is not None and time.monotonic() + pause > until:
            raise TimeoutError(f"{what} has not ended after {seconds:g} s")
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        before, seen = seen, look()
        if differs(before, seen):
            on_change(seen)
            pause = _FIRST_PAUSE
    return seen
