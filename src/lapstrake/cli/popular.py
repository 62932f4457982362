"""What tells how popular packages are: Debian's popularity contest, or what was pulled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lapstrake.errors import UsageError

if TYPE_CHECKING:
    from lapstrake.config.model import Config

_POPCON = re.compile(r"^\d+ +(\S+) +(\d+) ", re.MULTILINE)
_GET = re.compile(
    r"\bGET\b.*?/v2/(?P<name>[a-z0-9._/-]+)/manifests/(?P<tag>[\w.-]+)"
    r'(?:", "status":|"?(?: HTTP/[\d.]+")?) 200\b'
)


def count_installations(text: str) -> dict[str, float]:
    r"""Read ``by_inst`` of Debian's popularity contest.

    Returns:
        package → how many machines have it.

    >>> count_installations("#rank name inst ...\n1 dpkg 277000 9 9 9 9 (Team)\n")
    {'dpkg': 277000.0}
    """
    return {name: float(count) for name, count in _POPCON.findall(text)}


def count_pulls(config: Config, log: str) -> dict[str, float]:
    """Read a registry's log of requests, ours (text or JSON) or that of a server before it.

    Only answered requests for a tag's manifest count: by digest, clients come a second time.

    Returns:
        package → in how many pulls somebody named it, or a set that has it.
    """
    found = (_GET.search(line) for line in log.splitlines())
    return _count(config, [(match["name"], match["tag"]) for match in found if match])


def count_made(config: Config) -> dict[str, float]:
    """Read which names our registry has made images of.

    Returns: as `count_pulls`, each name and tag counting once.
    """
    from lapstrake.blobs.open import open_blobs
    from lapstrake.registry.demand.records import Records

    records = Records(open_blobs(config)).all()
    return _count(config, [(record.name, record.tag) for record in records])


def with_others(counts: Mapping[str, float], needs: Mapping[str, float]) -> dict[str, float]:
    """Rank what nobody counted below all else, by how many other packages need it."""
    most = 1 + max(needs.values(), default=0)
    least = min((count for count in counts.values() if count > 0), default=1.0)
    return {name: least * count / most for name, count in needs.items()} | dict(counts)


def _count(config: Config, pulls: list[tuple[str, str]]) -> dict[str, float]:
    from lapstrake.image.names import plus_spelling, read_name

    counts: Counter[str] = Counter()
    for name, tag in pulls:
        try:
            request = read_name(config, name, tag)[0]
        except UsageError:
            continue  # somebody's mistake, or pushed by other rules
        if request.source == "branch":
            asked = {*request.packages} - {*config.images.always}
            for package in asked | set(map(plus_spelling, asked)):
                counts[package] += 1
    return {name: float(count) for name, count in sorted(counts.items())}
