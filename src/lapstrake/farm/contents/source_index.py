"""Source packages as the lists of a branch's archive describe them: read here, nothing is fetched.

A branch has lists of sources once a source package of it was asked for; see deb-src in
sources.list(5) and `lapstrake.build.source_package`.
"""

from __future__ import annotations

import mmap
import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from debian.debian_support import Version

from lapstrake.branch.instance import current_branch
from lapstrake.build.source_package import lists_of_sources
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_dsc import read_description
from lapstrake.bundle.debian_uris import SourcePackageRequest, parse_request
from lapstrake.bundle.find import BundleLocation
from lapstrake.config.model import Config
from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents.bundles import read_bundle
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.choose import load

_PACKAGE = re.compile(rb"^Package: *(\S+)\n", re.MULTILINE)
_VERSION = re.compile(r"^Version: *(\S+)$", re.MULTILINE)


def described(
    config: Config, branch: str, sources: Collection[str], arch: str
) -> dict[str, Bundle]:
    """What the branch's lists say of source packages: their needs, and what they make.

    Args:
        config: where the branches are.
        branch: the branch.
        sources: ``apt:NAME`` or ``apt:NAME=VERSION``.
        arch: the machine that they are built for.

    Returns:
        by source; those that the lists do not tell of are missing, all when there are no lists.
    """
    place = Workplace(config=config, runner=load("userns"), progress=Silent())
    try:
        stands = current_branch(place, BranchName(branch))
        lists = lists_of_sources(place, stands) if stands is not None else ()
    except LapstrakeError:  # no such branch is told where the task is checked
        return {}
    return in_lists(lists, sources, arch)


def in_lists(lists: Collection[Path], sources: Collection[str], arch: str) -> dict[str, Bundle]:
    """As `described`, from apt's lists of sources (several versions of a package: the newest)."""
    requests = {source: parse_request(source) for source in sources}
    stanzas = _stanzas(lists, {request.name for request in requests.values()})
    found = {source: _bundle(one, stanzas, arch) for source, one in requests.items()}
    return {source: bundle for source, bundle in found.items() if bundle is not None}


def _stanzas(lists: Collection[Path], names: Collection[str]) -> dict[str, list[str]]:
    """All versions of these packages, by name."""
    found: dict[str, list[str]] = {name: [] for name in names}
    wanted = {name.encode(): name for name in names}
    for file in lists:
        for name, stanza in _matching(file, wanted):
            found[name].append(stanza)
    return found


def _matching(file: Path, wanted: dict[bytes, str]) -> Iterator[tuple[str, str]]:
    if not file.stat().st_size:
        return
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for match in _PACKAGE.finditer(text):
            if match[1] in wanted:
                begin = text.rfind(b"\n\n", 0, match.start()) + 2 if match.start() else 0
                end = text.find(b"\n\n", match.end())
                stanza = text[max(0, begin) : end if end >= 0 else len(text)]
                yield wanted[match[1]], stanza.decode("utf-8", "replace")


def _bundle(
    request: SourcePackageRequest, stanzas: dict[str, list[str]], arch: str
) -> Bundle | None:
    """Read a stanza as the ``.dsc`` that it was made from: only the name's field differs."""
    versions = {
        match[1]: stanza for stanza in stanzas[request.name] if (match := _VERSION.search(stanza))
    }
    version = request.version or max(versions, key=Version, default="")
    if version not in versions:
        return None
    with tempfile.TemporaryDirectory() as folder:
        text = _PACKAGE.sub(rb"Source: \1\n", f"{versions[version]}\n".encode(), count=1)
        file = Path(folder, f"{request.name}.dsc")
        file.write_bytes(text)
        try:
            for listed in read_description(file).files:
                Path(folder, listed.name).touch()  # stands for what nobody fetches here
            return read_bundle(BundleLocation(format=BundleFormat.DEBIAN, path=file), arch)
        except LapstrakeError:  # it says nothing that we understand: nothing is known
            return None
