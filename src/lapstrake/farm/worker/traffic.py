"""What builds receive and send: the counts of the networks that they have for themselves.

A build without a network has an empty one, a build with it one of its own, and so have containers.
What shares the machine's network cannot be told from all else that the machine does: then nothing
is told. A process counts as a build's when it is in another PID namespace than ours: what works
for builds outside of their roots (fetching, unpacking) is in ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_RECEIVED, _SENT = 0, 8  # columns behind the interface's name, see proc(5)


class Traffic:
    """Bytes of one build's networks, as of the last look.

    Args:
        apart: whether all that it starts runs in namespaces; on the machine itself nobody knows.
    """

    def __init__(self, *, apart: bool) -> None:
        self._pids, self._net = _space("self", "pid"), _space("self", "net")
        self._shared = not apart
        self._seen: dict[str, tuple[int, int]] = {}

    def look(self, processes: Iterable[int]) -> None:
        """Count what processes of the build have used; others are left out."""
        for number in processes:
            with suppress(OSError, ValueError):  # it ended meanwhile
                if _space(number, "pid") == self._pids:
                    continue
                space = _space(number, "net")
                if space == self._net:
                    self._shared = True
                else:
                    self._seen[space] = counts(Path(f"/proc/{number}/net/dev").read_text())

    def total(self) -> tuple[int | None, int | None]:
        """Bytes received and sent so far; ``None`` when nobody knows."""
        if self._shared:
            return None, None
        return sum(each[0] for each in self._seen.values()), sum(
            each[1] for each in self._seen.values()
        )


def counts(text: str) -> tuple[int, int]:
    """Bytes received and sent by all interfaces of ``/proc/net/dev`` but the loopback.

    Raises:
        ValueError: it is something else.
    """
    received = sent = 0
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() != "lo":
            columns = rest.split()
            received += int(columns[_RECEIVED])
            sent += int(columns[_SENT])
    return received, sent


def _space(process: int | str, kind: str) -> str:
    """A process' namespace."""
    return str(Path(f"/proc/{process}/ns/{kind}").readlink())
