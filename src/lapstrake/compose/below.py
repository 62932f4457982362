"""The root that packages come over, as it is judged: looked at once for each instance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from lapstrake.branch.instance import Branch
from lapstrake.compose import entries
from lapstrake.compose.closure import read_status
from lapstrake.compose.doubt import Below, Entry
from lapstrake.compose.status import parse_status
from lapstrake.errors import DependencyError
from lapstrake.formats.keys import cache_key
from lapstrake.host.confined import read_confined, walk_confined
from lapstrake.layer.store import Layer
from lapstrake.place.answers import recall, remember
from lapstrake.place.workplace import Workplace

_FORMAT = 1
_LIMIT = 64 << 20
_SETTINGS = re.compile(r"(?:etc/dpkg/dpkg\.cfg|etc/dpkg/dpkg\.cfg\.d/[A-Za-z0-9_-]+)\Z")


def below_of(place: Workplace, branch: Branch) -> Below:
    """Describe a branch's root.

    Raises:
        DependencyError: it has no list of packages, or files of dpkg that are none.
    """
    paths = _paths(place, branch)
    aliases = {path for path in ("/bin", "/sbin", *_lib_folders(paths)) if _is_link(paths, path)}
    arch = place.config.arch.value
    known = set()
    for stanza in parse_status(read_status(branch.layers)):
        own = stanza["architecture"]
        known.add(stanza.name if own in {arch, "all"} else f"{stanza.name}:{own}")
    diverted = read_text(branch.layers, "var/lib/dpkg/diversions").splitlines()
    overrides = read_text(branch.layers, "var/lib/dpkg/statoverride").splitlines()
    return Below(
        lookup=paths.get,
        known=frozenset(known),
        diverted=frozenset(_merged(line, aliases) for line in diverted if line.startswith("/")),
        overrides=frozenset(_merged(line.split(" ", 3)[-1], aliases) for line in overrides),
        configuration="\n".join(_settings(branch.layers)),
    )


def read_text(layers: Sequence[Layer], path: str) -> str:
    """Read a file of a stack as text: the uppermost layer's that has it; empty when none has."""
    for layer in reversed(layers):
        data = read_confined(layer.tree, path, limit=_LIMIT, error=DependencyError)
        if data is not None:
            return data.decode("utf-8", "surrogateescape")
    return ""


def _paths(place: Workplace, branch: Branch) -> dict[str, Entry]:
    """All that the branch's root shows; walking it takes a while, so what was found is kept."""
    key = cache_key(
        "root-paths", {"format": _FORMAT, "layers": [layer.key.hex for layer in branch.layers]}
    )
    known = recall(place, key)
    if known is not None:
        return entries.unpack(known)
    found = entries.walk_stack([layer.tree for layer in branch.layers])
    remember(place, key, entries.pack(found))
    return found


def _settings(layers: Sequence[Layer]) -> Iterator[str]:
    """The files that configure dpkg (dpkg.cfg(5))."""
    names: dict[PurePosixPath, None] = {}
    for layer in layers:
        found = walk_confined(layer.tree, "etc/dpkg", error=DependencyError)
        names |= dict.fromkeys(entry.path for entry in found if _SETTINGS.match(str(entry.path)))
    return (read_text(layers, str(name)) for name in names)


def _lib_folders(paths: dict[str, Entry]) -> list[str]:
    return [path for path in paths if path.startswith("/lib") and path.count("/") == 1]


def _is_link(paths: dict[str, Entry], path: str) -> bool:
    return path in paths and paths[path].kind == "l"


def _merged(path: str, aliases: set[str]) -> str:
    first = "/" + path[1:].partition("/")[0]
    return f"/usr{path}" if first in aliases else path
