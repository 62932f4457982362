"""Being told to stop: known at once, and no second time asked.

uvicorn tells its application only when all connections have ended, which those that are sent to
for as long as there is news would never do.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_to_stop(tell: Callable[[], None]) -> Iterator[None]:
    """Call a function when the process gets SIGTERM or SIGINT, before who listened already does.

    From then on SIGINT, a second Ctrl-C, ends the process on the spot. Whatever it was doing is
    safe: uploads are files that can be resumed, and children end when they lose their parent.

    Args:
        tell: what is called; in a thread that is not the main one nobody ever calls it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(number: int, frame: FrameType | None) -> None:
        tell()
        former = listening[signal.Signals(number)]
        if callable(former):
            former(number, frame)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    listening = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
