"""User and group ids: which of the host's ids a root's ids are.

A rootless user owns a range of ids (subuid(5), subgid(5)); root uses ids as they are.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host.process import find_program

ID_COUNT = 65536
"""How many ids a root has: 0 to 65535, so that ``nobody`` (65534) is one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdMap:
    """Rows of uid_map and gid_map (user_namespaces(7)): inside, outside, count.

    Attributes:
        uids: rows for users.
        gids: rows for groups.
        programs: newuidmap and newgidmap, when the kernel wants them to write the rows.
    """

    uids: tuple[tuple[int, int, int], ...]
    gids: tuple[tuple[int, int, int], ...]
    programs: tuple[Path, Path] | None = None

    @property
    def rootless(self) -> bool:
        """Whether ids inside differ from those outside."""
        return self.programs is not None


def identity_map() -> IdMap:
    """The map for root: the same ids inside, and none but those of a root."""
    rows = ((0, 0, ID_COUNT),)
    return IdMap(uids=rows, gids=rows)


def current_map() -> IdMap:
    """The map for whoever runs us.

    Raises:
        RunnerError: a rootless user lacks newuidmap or a range of ids.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return identity_map()
    newuidmap, newgidmap = find_program("newuidmap"), find_program("newgidmap")
    if newuidmap is None or newgidmap is None:
        raise RunnerError("newuidmap is not installed", resolution="Install it: apt install uidmap")
    name = _user_name(uid)
    return IdMap(
        uids=((0, uid, 1), (1, subordinate_range(Path("/etc/subuid"), name, uid), ID_COUNT - 1)),
        gids=((0, gid, 1), (1, subordinate_range(Path("/etc/subgid"), name, uid), ID_COUNT - 1)),
        programs=(newuidmap, newgidmap),
    )


def subordinate_range(file: Path, name: str, uid: int) -> int:
    """Find the first id of a user's subordinate range (``NAME-OR-ID:FIRST:COUNT`` lines).

    Raises:
        RunnerError: there is none, or it is shorter than 65535.
    """
    try:
        lines = file.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        numbers = first.isdecimal() and count.isdecimal()
        if owner in {name, str(uid)} and numbers and int(count) >= ID_COUNT - 1:
            return int(first)
    raise RunnerError(
        f"{file} gives {name} no range of {ID_COUNT - 1} ids",
        resolution="Give it one, as root: "
        f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}",
    )


def _user_name(uid: int) -> str:
    """The login name of a user id, or the id itself when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
