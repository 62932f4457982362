"""What apt-get says it would do, read: its simulations, its lists of files, its complaints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from lapstrake.compose.resolution import Item

_INSTALLS = re.compile(
    r"^Inst (?P<name>\S+) (?:\[(?P<old>\S+)\] )?\((?P<version>\S+) .*\[(?P<arch>[a-z0-9-]+)\]\)"
)
_CONFIGURES = re.compile(r"^Conf (?P<name>[^\s:]+)\S* \((?:.*\[(?P<arch>[a-z0-9-]+)\]\))?")
_REMOVES = re.compile(r"^(?:Remv|Purg) (\S+)")
_FILE = re.compile(r"^'[^']+' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")
_COUNTS = re.compile(
    r"^(?P<upgraded>\d+) upgraded, (?P<new>\d+) newly installed, (?P<more>.*?)"
    r"(?P<removed>\d+) to remove and \d+ not upgraded\.$",
    re.MULTILINE,
)
_UNSATISFIED = re.compile(r"(?:: |^\s+)(?:Pre)?Depends: (.+?) but ", re.MULTILINE)
_EXCLUDES = re.compile(r"^\s*(\S+) : (?:Conflicts|Breaks): ", re.MULTILINE)
_UNKNOWN = re.compile(
    r"(?:Unable to locate package|candidate version from package) (\S+)"
    r"|Version '(\S+)' for '(\S+)' was not found"
)


def installs(lines: Iterable[str]) -> list[Item]:
    """Read from ``apt-get --simulate`` what is unpacked, the first one first; without the files."""
    return [_item(match) for match in map(_INSTALLS.match, lines) if match]


def removes(lines: Iterable[str]) -> list[str]:
    """Read from ``apt-get --simulate`` the names of what is removed."""
    return [match[1] for match in map(_REMOVES.match, lines) if match]


def early_batches(lines: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Read from ``apt-get --simulate`` what is configured before all is unpacked, call by call.

    >>> early_batches(["Inst a (1 [amd64])", "Conf a (1 [amd64])", "Inst b (1)", "Conf b (1)"])
    (('a:amd64',),)
    """
    batches: list[tuple[str, ...]] = []
    batch: list[str] = []
    for line in lines:
        configured = _CONFIGURES.match(line)
        if configured:
            arch = configured["arch"]
            of_one = arch and arch != "all"
            batch.append(f"{configured['name']}:{arch}" if of_one else configured["name"])
        elif line.startswith("Inst ") and batch:
            batches.append(tuple(batch))
            batch = []
    return tuple(batches)


def files_of(text: str) -> list[Item]:
    """Read the files that ``apt-get --print-uris`` names: with ``%3a`` for a version's colon."""
    found = []
    for match in filter(None, map(_FILE.match, text.splitlines())):
        name, version, arch = match["file"].removesuffix(".deb").split("_")
        found.append(
            Item(
                name=name,
                version=version.replace("%3a", ":"),
                arch=arch,
                sha256=match["sha256"],
                size=int(match["size"]),
            )
        )
    return found


def new_count(text: str) -> int | None:
    """How many packages apt-get counts as new; ``None`` if it would change others, too."""
    counts = _COUNTS.search(text)
    if counts is None or counts["more"] or counts["upgraded"] != "0" or counts["removed"] != "0":
        return None
    return int(counts["new"])


def unsatisfied(complaint: str) -> list[str]:
    """The dependencies that apt-get names as not to be had."""
    return _UNSATISFIED.findall(complaint)


def excluding(complaint: str) -> list[str]:
    """The packages that apt-get names as excluding others."""
    return _EXCLUDES.findall(complaint)


def unknown_of(complaint: str) -> Iterator[str]:
    """The names, or ``NAME=VERSION``, that apt-get does not find."""
    for match in _UNKNOWN.finditer(complaint):
        yield f"{match[3]}={match[2]}" if match[3] else match[1]


def with_file(item: Item, file: Item | None) -> Item:
    """What apt says of a package, and of its file."""
    if file is None:
        return item
    return Item(**{**asdict(file), "arch": item.arch, "old": item.old})


def _item(match: re.Match[str]) -> Item:
    return Item(
        name=match["name"].partition(":")[0],
        version=match["version"],
        arch=match["arch"],
        old=match["old"] or "",
    )
