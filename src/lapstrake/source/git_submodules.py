"""What a commit says of its submodules, see gitmodules(5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_GITLINK_MODE = b"160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """A submodule: where it goes, where it comes from, which commit."""

    path: str
    url: str
    commit: str


def parse_gitlinks(listing: bytes) -> dict[str, str]:
    """Read the output of ``git ls-tree -r -z``: paths of submodules and their commits."""
    links = {}
    for line in listing.split(b"\0"):
        facts, _, path = line.partition(b"\t")
        words = facts.split()
        if words and words[0] == _GITLINK_MODE:
            links[path.decode("utf-8", "surrogateescape")] = words[2].decode()
    return links


def parse_gitmodules(listing: bytes) -> dict[str, str]:
    """Read the output of ``git config --list -z`` on ``.gitmodules``: paths and URLs."""
    facts: dict[str, dict[str, str]] = {}
    for item in listing.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = item.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule" and name:
            facts.setdefault(name, {})[variable] = value
    return {one["path"]: one["url"] for one in facts.values() if "path" in one and "url" in one}


def absolute_url(url: str, parent: str) -> str:
    """Resolve a submodule's URL: ``./`` and ``../`` are relative to the parent's URL."""
    if not url.startswith(("./", "../")):
        return url
    base = parent.rstrip("/")
    while True:
        if url.startswith("./"):
            url = url[2:]
        elif url.startswith("../"):
            url = url[3:]
            cut = max(base.rfind("/"), base.rfind(":"))
            base = base[: cut if base[cut : cut + 1] == "/" else cut + 1]
        else:
            break
    return f"{base}{url}" if base.endswith(":") else f"{base}/{url}"


def pair(
    links: Mapping[str, str], urls: Mapping[str, str], *, parent: str
) -> tuple[tuple[Submodule, ...], tuple[str, ...]]:
    """Join the links of a commit with the URLs of its ``.gitmodules``.

    Returns:
        the submodules, and the paths of links that nothing is said about.
    """
    found = tuple(
        Submodule(path=path, url=absolute_url(urls[path], parent), commit=commit)
        for path, commit in links.items()
        if path in urls
    )
    return found, tuple(path for path in links if path not in urls)
