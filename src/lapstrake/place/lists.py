"""Source lists: which one holds, what a root has by itself, and how one is put into a root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lapstrake.config.branches import built_in_list
from lapstrake.config.model import BaseConfig
from lapstrake.config.places import host_codename
from lapstrake.errors import BaseError, ConfigError
from lapstrake.formats.sources_list import ListStyle, SourceEntry, SourceList, parse
from lapstrake.host.confined import read_confined, walk_confined
from lapstrake.names import GuestPath
from lapstrake.place.apt import Apt

_ONE_LINE = GuestPath("/etc/apt/sources.list")
_FOLDER = GuestPath("/etc/apt/sources.list.d")
_DEB822 = _FOLDER / "branch.sources"


def base_list(base: BaseConfig) -> SourceList | None:
    """The list that the configuration sets for the base OS itself, if any.

    Raises:
        ConfigError: it cannot be read, or is wrong.
    """
    if base.source_list is None:
        return None
    file = base.source_list
    style = ListStyle.DEB822 if file.suffix == ".sources" else ListStyle.ONE_LINE
    try:
        text = file.read_text()
    except OSError as refused:
        raise ConfigError(f"{file}: {refused.strerror} (base.source_list)") from refused
    entries = parse(text, origin=str(file), style=style)
    return SourceList(entries=entries, text=text, style=style, origin=str(file))


def host_list(suite: str) -> SourceList:
    """The host's own sources for the host's suite; none for others: mmdebstrap's default holds."""
    listed = built_in_list()
    if suite == host_codename():
        return listed
    return replace(listed, entries=(), text="")


def lists_of_root(tree: Path) -> tuple[SourceEntry, ...]:
    """The source entries that a root has by itself; the root's files are read as data."""
    found: list[SourceEntry] = []
    for entry in walk_confined(tree, "etc/apt", error=BaseError):
        name = entry.path.name
        style = {".list": ListStyle.ONE_LINE, ".sources": ListStyle.DEB822}.get(entry.path.suffix)
        if style is None or not (name == "sources.list" or entry.path.parent.name.endswith(".d")):
            continue
        text = read_confined(tree, entry.path, error=BaseError) or b""
        found += parse(text.decode("utf-8", "replace"), origin=str(entry.path), style=style)
    return tuple(found)


def install_list(apt: Apt, listed: SourceList) -> None:
    """Make a list the only one of a root; a list without entries leaves the root's own."""
    if not listed.entries:
        return
    apt.run(("sh", "-c", f"rm -rf -- {_FOLDER}/*"))  # whatever the base OS came with
    used = _DEB822 if listed.style is ListStyle.DEB822 else _ONE_LINE
    apt.write({_ONE_LINE: b"", _DEB822: b""} | {used: listed.text.encode()})
